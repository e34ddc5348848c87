//! The commands that show what there is.

use serde_json::Value;

use crate::support::{Files, Ran, program, run};

#[test]
fn help_and_version_are_no_errors() {
    let cases: [(&[&str], &str); 5] = [
        (&[], "Usage: burnpipe"),
        (&["--help"], "Exit codes"),
        (&["run", "--help"], "--on-error"),
        (&["help", "run"], "--params"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ];
    for (arguments, part) in cases {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ran.out.contains(part) && !ran.out.contains('\x1b'), "{}", ran.out);
    }
}

#[test]
fn lists_are_tables_or_json() {
    let cases: [(&[&str], &str, &str); 6] = [
        (&["tasks"], "task", "token-classification"),
        (&["tasks", "ner"], "task", "aggregation_strategy"),
        (&["models"], "model_type", "distilbert"),
        (&["models", "ner"], "model_type", "roberta"),
        (&["devices"], "name", "cpu"),
        (&["devices"], "dtypes", "f32"),
    ];
    for (arguments, key, part) in cases {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ran.out.contains(part) && !ran.out.contains('\x1b'), "{}", ran.out);
        let rows = run(&[arguments, &["--format", "json"]].concat()).json();
        assert!(rows.as_array().unwrap().iter().all(|row| !row[key].is_null()), "{rows}");
        assert!(rows.to_string().contains(part), "{rows}");
    }
}

#[test]
fn the_cache_is_listed_and_emptied() {
    let files = Files::new();
    let in_cache = |arguments: &[&str]| -> Ran {
        program(arguments).env("HF_HOME", files.path("home")).output().unwrap().into()
    };
    let ran = in_cache(&["cache"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("no models in "), "{}", ran.out);
    assert_eq!(in_cache(&["cache", "list", "--format", "json"]).json(), Value::Array(Vec::new()));
    in_cache(&["cache", "remove", "org/name"]).was_refused(&["`org/name`"]);

    let repo = files.path("home/hub/models--org--name");
    std::fs::create_dir_all(format!("{repo}/blobs")).unwrap();
    std::fs::create_dir_all(format!("{repo}/snapshots/0123456789abcdef")).unwrap();
    std::fs::write(format!("{repo}/blobs/b"), "12345").unwrap();
    let ran = in_cache(&["cache"]);
    assert!(ran.out.contains("org/name") && ran.out.contains("0123456"), "{}", ran.out);
    let ran = in_cache(&["cache", "remove", "org/name"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!std::path::Path::new(&repo).exists());
}

#[test]
fn a_download_without_a_connection_is_refused() {
    run(&["download", "org/name"]).was_refused(&["`org/name`", "HF_HUB_OFFLINE"]);
}

#[test]
fn the_doctor_names_everything_and_keeps_secrets() {
    let ran: Ran = program(&["doctor"]).env("HF_TOKEN", "hf_secret").output().unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for part in
        ["version", "bundled model", "cpu threads", "simd", "memory", "flex", "cache", "HF_TOKEN", "offline"]
    {
        assert!(ran.out.contains(part), "`{part}` is not in: {}", ran.out);
    }
    assert!(!ran.out.contains("hf_secret"), "{}", ran.out);
}
