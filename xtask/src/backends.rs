//! The golden suite on one backend, and what can be checked of a backend without its hardware.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::root;

/// A software Vulkan driver: SwiftShader, as Debian's Chromium carries it.
const SOFTWARE_DRIVER: &str = "chromium-common";

/// Runs the goldens and the properties on one backend; only the goldens of the checkpoints that
/// `BURNPIPE_TEST_ONLY` names if it is set.
///
/// `wgpu` means the processor playing a GPU, so that every machine can run it; a real device is named by
/// `BURNPIPE_TEST_DEVICE`.
pub(crate) fn test(backend: &str) -> Result<()> {
    let mut cargo = on(backend)?;
    cargo.args(["--test", "goldens"]);
    // Of a part of the goldens no property of the whole can hold.
    if std::env::var_os("BURNPIPE_TEST_ONLY").is_none() {
        cargo.args(["--test", "properties"]);
    }
    cargo.args(["--", "--nocapture"]);
    ensure!(cargo.status()?.success(), "the goldens do not hold on `{backend}`");
    Ok(())
}

/// Writes a backend's lines of `docs/parity.md`.
pub(crate) fn parity(backend: &str) -> Result<()> {
    let mut cargo = on(backend)?;
    cargo.args(["--test", "parity"]).env("BURNPIPE_WRITE_PARITY", "1");
    ensure!(cargo.status()?.success(), "the parity of `{backend}` could not be measured");
    Ok(())
}

/// Checks the types of the CUDA backend where LLVM, which its build downloads, is out of reach.
pub(crate) fn check_cuda() -> Result<()> {
    let mut cargo = cargo();
    // With this set, CubeCL's build scripts take no LLVM, as on docs.rs; nothing could be linked.
    // The other backends come with it, so that they are linted somewhere.
    let features = "burnpipe-cli/cuda,burnpipe-cli/vulkan,burnpipe-cli/ndarray";
    cargo.env("DOCS_RS", "1").args(["clippy", "--features", features, "--", "-D", "warnings"]);
    ensure!(cargo.status()?.success(), "the CUDA backend does not compile");
    Ok(())
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// `cargo test` with a backend built in and chosen.
fn on(backend: &str) -> Result<Command> {
    let (feature, device) = match backend {
        "flex" => (None, "cpu"),
        "ndarray" => (None, "ndarray"),
        "wgpu" => (Some("burnpipe-tests/wgpu"), "wgpu:cpu"),
        "cuda" => (Some("burnpipe-tests/cuda"), "cuda"),
        _ => bail!("unknown backend `{backend}`; known: flex, ndarray, wgpu, cuda"),
    };
    let device = std::env::var("BURNPIPE_TEST_DEVICE").unwrap_or_else(|_| device.into());
    let mut cargo = cargo();
    cargo.arg("test").env("BURNPIPE_TEST_DEVICE", &device);
    if let Some(feature) = feature {
        cargo.args(["--features", feature]);
    }
    if device == "wgpu:cpu" && std::env::var_os("VK_DRIVER_FILES").is_none() {
        use_software_driver(&mut cargo)?;
    }
    Ok(cargo)
}

/// Lets a command find a Vulkan driver that needs no graphics card, fetched where there is apt.
fn use_software_driver(command: &mut Command) -> Result<()> {
    if Command::new("apt-get").arg("--version").output().is_err() {
        println!("no apt-get here: the machine's own Vulkan drivers are used; VK_DRIVER_FILES names one");
        return Ok(());
    }
    let folder = root().join("target/software-vulkan");
    let driver = folder.join("usr/lib/chromium/vk_swiftshader_icd.json");
    if !driver.is_file() {
        fetch_software_driver(&folder)?;
    }
    command.env("VK_DRIVER_FILES", &driver);
    command.env("LD_LIBRARY_PATH", driver.parent().unwrap_or(&folder));
    // Without it the driver warns on every start.
    command.env("XDG_RUNTIME_DIR", &folder);
    Ok(())
}

fn fetch_software_driver(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let status = Command::new("apt-get").args(["download", SOFTWARE_DRIVER]).current_dir(folder).status()?;
    if !status.success() {
        // A fresh machine has no list of packages yet.
        ensure!(Command::new("apt-get").args(["update", "-qq"]).status()?.success(), "apt-get update failed");
        let status =
            Command::new("apt-get").args(["download", SOFTWARE_DRIVER]).current_dir(folder).status()?;
        ensure!(
            status.success(),
            "apt-get cannot download `{SOFTWARE_DRIVER}`; name a driver by VK_DRIVER_FILES"
        );
    }
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let files = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let package = files.into_iter().find(is_package).context("apt-get downloaded nothing")?;
    let status = Command::new("dpkg").arg("-x").arg(&package).arg(folder).status()?;
    ensure!(status.success(), "{} cannot be unpacked", package.display());
    Ok(())
}
