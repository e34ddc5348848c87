//! `docs/parity.md`: how far each backend is from Python, a line per device.
//!
//! `cargo xtask parity --backend <backend>` runs this with `BURNPIPE_WRITE_PARITY` set, and then it
//! measures the device and replaces its line; else it only checks that every backend has one.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use burnpipe_tests::{case_files, devices};

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parity.md")
}

fn first_cell(line: &str) -> &str {
    line.trim_start_matches("| ").split(" | ").next().unwrap_or_default()
}

#[test]
fn every_task_and_cpu_backend_is_in_the_table() {
    if std::env::var_os("BURNPIPE_WRITE_PARITY").is_some() {
        devices().iter().for_each(|device| write(device));
    }
    let text = fs::read_to_string(table()).unwrap();
    let header = text.lines().find(|line| line.starts_with("| device |")).expect("no table");
    for task in burnpipe::tasks() {
        assert!(header.contains(&format!("`{}`", task.id)), "`{}` is not in docs/parity.md", task.id);
    }
    for device in ["`cpu`", "`ndarray`", "`wgpu:cpu`"] {
        let line = text.lines().find(|line| first_cell(line) == device);
        assert!(line.is_some(), "{device} is not in docs/parity.md; run `cargo xtask parity`");
    }
}

/// Measures a device and replaces its line.
fn write(device: &str) {
    let description = burnpipe::devices().into_iter().find(|known| known.name == device);
    let description = description.map_or_else(|| device.to_string(), |known| known.description);
    let mut cells = vec![format!("`{device}`"), description];
    for task in burnpipe::tasks() {
        let (mut worst, mut cases) = (0.0, 0);
        for file in case_files(Some(task.id)).unwrap() {
            let pipeline = file.load(device).unwrap();
            worst = f64::max(worst, file.largest_error(&pipeline).unwrap());
            cases += file.cases.iter().filter(|case| case.expected.is_some()).count();
        }
        cells.push(format!("{worst:.1e} ({cases} cases)"));
    }
    let line = format!("| {} |", cells.join(" | "));
    let text = fs::read_to_string(table()).unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|old| first_cell(old) != cells[0]).collect();
    lines.push(&line);
    fs::write(table(), lines.join("\n") + "\n").unwrap();
}
