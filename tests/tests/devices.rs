//! Devices and number types: what is there, what is refused and why.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use burnpipe::{DType, DeviceRequest, Error, ErrorKind};
use burnpipe_tests::goldens;

fn load(device: impl Into<DeviceRequest>, dtype: Option<DType>) -> burnpipe::Result<burnpipe::AnyPipeline> {
    let folder = goldens().join("models/bert-ner-bf16").display().to_string();
    let builder = burnpipe::pipeline("ner").model(folder).device(device);
    match dtype {
        Some(dtype) => builder.dtype(dtype).load(),
        None => builder.load(),
    }
}

fn refused(device: impl Into<DeviceRequest>, dtype: Option<DType>, says: &[&str]) -> Error {
    let error = load(device, dtype).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    for part in says {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
    assert_eq!(error.report().lines().count(), 1, "{}", error.report());
    error
}

#[test]
fn a_pipeline_says_where_it_is_and_what_it_computes_in() {
    for (device, name) in [("cpu", "cpu"), ("flex", "cpu"), ("ndarray", "ndarray")] {
        let pipeline = load(device, None).unwrap();
        assert_eq!((pipeline.about().device.as_str(), pipeline.about().dtype), (name, "f32"));
    }
    assert_eq!(load(-1, None).unwrap().about().device, "cpu");
}

#[test]
fn every_backend_is_listed_with_its_devices_or_what_is_missing() {
    let backends = burnpipe::backends();
    let names: Vec<&str> = backends.iter().map(|backend| backend.name).collect();
    assert_eq!(names, ["cuda", "wgpu", "vulkan", "metal", "flex", "ndarray"]);
    for backend in &backends {
        assert_eq!(backend.missing.is_some(), backend.devices.is_empty(), "{backend:?}");
        if !backend.built_in {
            let feature = format!("feature `{}`", backend.name);
            assert!(backend.missing.as_ref().unwrap().contains(&feature), "{backend:?}");
        }
    }
    let devices = burnpipe::devices();
    assert!(devices.iter().any(|device| device.name == "cpu" && device.dtypes == [DType::F32]));
    assert!(devices.iter().any(|device| device.name == "ndarray"));
}

#[test]
fn devices_that_are_not_there_are_refused_with_what_is_missing() {
    refused("cpu:1", None, &["`cpu:1`", "one device, `cpu`"]);
    refused("ndarray:2", None, &["`ndarray:2`"]);
    refused("cpu:discrete", None, &["`cpu:discrete`"]);
    refused("tpu", None, &["unknown device `tpu`", "`wgpu`", "`cuda`"]);
    for backend in burnpipe::backends().iter().filter(|backend| !backend.built_in) {
        refused(backend.name, None, &["feature", backend.name, "this build has"]);
    }
    // Python's ids.
    if !burnpipe::backends().iter().any(|backend| backend.name == "cuda" && backend.built_in) {
        refused(0, None, &["`cuda`", "feature `cuda`"]);
    }
}

#[test]
fn number_types_that_a_backend_does_not_compute_in_are_refused_with_the_reason() {
    for (dtype, name) in [(DType::F16, "`f16`"), (DType::BF16, "`bf16`")] {
        refused("cpu", Some(dtype), &[name, "`f32`", "slower on the CPU"]);
        refused("ndarray", Some(dtype), &[name, "`f32`", "no 16-bit numbers"]);
    }
}

#[test]
fn auto_takes_no_software_adapter() {
    let pipeline = load("auto", Some(DType::F32)).unwrap();
    let device = pipeline.about().device.clone();
    assert!(!device.ends_with(":cpu"), "{device}");
    let has_gpu = burnpipe::devices().iter().any(|device| {
        (device.name.starts_with("cuda") || device.name.starts_with("wgpu")) && !device.name.ends_with(":cpu")
    });
    assert_eq!(device == "cpu", !has_gpu, "{device}");
}
