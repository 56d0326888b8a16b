//! The network equals the reference, tensor by tensor.

use f1_model::Quant;
use f1_verify::{quantisation_error, verify};

use crate::support::{goldens, tiny};

#[test]
fn every_number_of_the_reference_is_reproduced() {
    let report = verify(&goldens()).expect("the goldens can be run");
    let failed: Vec<_> = report.families.iter().filter(|family| !family.pass).collect();
    assert!(report.pass, "out of tolerance: {failed:#?}");
    assert!(report.compared >= 600, "only {} tensors were compared", report.compared);
    let left: Vec<_> = report.left.iter().filter(|name| !name.starts_with("utils.")).collect();
    assert!(left.iter().all(|name| name.starts_with("bf16.")), "not compared: {left:?}");
}

#[test]
fn a_changed_number_is_a_failed_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(tiny()).expect("the tiny goldens") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let file = folder.path().join("outputs.safetensors");
    let mut tensors =
        candle_core::safetensors::load(&file, &candle_core::Device::Cpu).expect("the outputs load");
    let changed = (&tensors["infer.actions_padded"] + 1e-3).expect("changed");
    tensors.insert("infer.actions_padded".to_string(), changed);
    candle_core::safetensors::save(&tensors, &file).expect("saved");
    let report = verify(folder.path()).expect("the goldens can be run");
    assert!(!report.pass);
    let failed: Vec<_> =
        report.families.iter().filter(|family| !family.pass).map(|f| f.name.as_str()).collect();
    assert_eq!(failed, ["infer.actions_padded"]);
}

#[test]
fn a_directory_without_goldens_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(verify(folder.path()).is_err());
}

#[test]
fn eight_bit_actions_stay_within_three_percent() {
    let error = quantisation_error(&tiny(), Quant::Q8_0).expect("runs");
    assert!(error > 0.0 && error < 0.03, "relative RMS {error}");
    // 8-bit floats have three bits of fraction.
    let error = quantisation_error(&tiny(), Quant::Fp8).expect("runs");
    println!("fp8: relative RMS {error}");
    assert!(error > 0.0 && error < 0.1, "relative RMS {error}");
}
