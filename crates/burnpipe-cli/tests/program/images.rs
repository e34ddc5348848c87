//! Images on the command line: paths, lists of them, and what is said of a bad one.

use std::fs;

use serde_json::Value;

use crate::support::{Files, assert_same, golden, run};

/// The images of a case and Python's answers.
fn case(task: &str, checkpoint: &str) -> (Vec<String>, Value) {
    let file = fs::read(golden(&format!("cases/{task}/{checkpoint}.json"))).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == "default").unwrap();
    let paths = case["inputs"].as_array().unwrap().iter().map(|path| golden(path.as_str().unwrap()));
    (paths.collect(), case["expected"].clone())
}

#[test]
fn paths_and_lists_of_them_are_answered_as_python_does() {
    let (paths, expected) = case("image-classification", "vit-images");
    let model = golden("models/vit-images");
    let files = Files::new();
    let list = files.write("list.txt", paths.join("\n"));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let given = |inputs: &[&str]| {
        let start =
            ["run", "image-classification", "--model", &model, "--format", "json", "--batch-size", "4"];
        run(&[&start, inputs].concat())
    };
    assert_same(&given(&paths).json(), &expected, "paths");
    assert_same(&given(&["--inputs", &list]).json(), &expected, "a list");
    assert_same(&given(&[&golden("media/rgb.j*")]).json()[0], &expected[0], "a pattern");

    let table = run(&["run", "image-classification", "--model", &model, "--format", "table", paths[0]]);
    assert!(table.out.contains("cow") && table.out.contains("0.4315"), "{}", table.out);
}

#[test]
fn vectors_are_printed_and_their_shape_is_shown() {
    let (paths, expected) = case("image-feature-extraction", "resnet-image-features");
    let model = golden("models/resnet-image-features");
    let start = ["run", "image-feature-extraction", "--model", &model, &paths[0], "--format"];
    assert_same(&run(&[&start[..], &["json"]].concat()).json()[0], &expected[0], "features");
    let table = run(&[&start[..], &["table"]].concat());
    assert!(table.out.contains("20"), "{}", table.out);
}

#[test]
fn a_bad_image_is_named() {
    let start = ["run", "image-classification", "--model", &golden("models/vit-images")];
    run(&[&start[..], &[&golden("media/no_image.txt")]].concat()).was_refused(&["no_image.txt"]);
    run(&[&start[..], &["no/such/file.png"]].concat()).was_refused(&["`no/such/file.png`"]);
    run(&[&start[..], &["x.png", "--params", "{\"top\": 3}"]].concat()).was_refused(&["`top`", "`top_k`"]);
}
