//! Another user of Burn in the same program: nothing of theirs changes our answers.
//!
//! Burn's defaults are per device, global to the process and set once, so this test is a program of
//! its own.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use burn::tensor::{Device, FloatDType, IntDType, Tensor};
use burnpipe_tests::case_files;

#[test]
fn the_defaults_that_somebody_set_for_the_device_change_no_answer() {
    let mut device = Device::flex();
    device.configure((FloatDType::F16, IntDType::I64)).unwrap();
    let theirs: Tensor<1> = Tensor::from_floats([1.0], &device);
    assert_eq!(theirs.dtype(), burn::tensor::DType::F16);
    for file in case_files(None).unwrap() {
        let differences = file.differences("cpu").unwrap();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}
