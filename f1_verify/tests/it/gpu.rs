//! On a machine with a GPU, in a build with the feature `cuda`.

use f1_verify::verify_on;

use crate::support::goldens;

// Not with cuDNN, whose convolutions may use TF32.
#[test]
fn every_number_of_the_reference_is_reproduced_on_a_gpu() {
    let device = f1_kernels::device::cuda().expect("a GPU");
    let report = verify_on(&goldens(), &device).expect("the goldens can be run");
    let failed: Vec<_> = report.families.iter().filter(|family| !family.pass).collect();
    assert!(report.pass, "out of tolerance: {failed:#?}");
}
