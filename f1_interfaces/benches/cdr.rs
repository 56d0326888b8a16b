//! Time of encoding and decoding what the policy exchanges. `cargo bench -p f1_interfaces`

use divan::{Bencher, black_box};
use f1_interfaces::cdr;
use f1_interfaces::sensor_msgs::msg::{Image, JointState};
use f1_interfaces::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};

fn main() {
    divan::main();
}

/// 640 x 480 rgb8: 0.92 MB.
fn image() -> Image {
    Image {
        height: 480,
        width: 640,
        encoding: "rgb8".to_owned(),
        step: 1920,
        data: (0..921_600u32).map(|i| i as u8).collect(),
        ..Image::default()
    }
}

fn joint_state() -> JointState {
    JointState {
        name: (0..14).map(|i| format!("joint_{i}")).collect(),
        position: vec![0.5; 14],
        velocity: vec![0.5; 14],
        effort: vec![0.5; 14],
        ..JointState::default()
    }
}

fn trajectory() -> JointTrajectory {
    let point = JointTrajectoryPoint {
        positions: vec![0.5; 7],
        velocities: vec![0.5; 7],
        accelerations: vec![0.5; 7],
        ..JointTrajectoryPoint::default()
    };
    JointTrajectory {
        joint_names: (0..7).map(|i| format!("joint_{i}")).collect(),
        points: vec![point; 50],
        ..JointTrajectory::default()
    }
}

#[divan::bench]
fn encode_image_640x480_rgb8(bencher: Bencher) {
    let message = image();
    bencher.bench(|| cdr::to_bytes(black_box(&message)));
}

#[divan::bench]
fn encode_image_640x480_rgb8_into_kept_buffer(bencher: Bencher) {
    let message = image();
    let mut buffer = Vec::new();
    bencher.bench_local(|| cdr::write(&mut buffer, black_box(&message)));
}

#[divan::bench]
fn decode_image_640x480_rgb8(bencher: Bencher) {
    let bytes = cdr::to_bytes(&image()).unwrap_or_default();
    bencher.bench(|| cdr::from_bytes::<Image>(black_box(&bytes)));
}

#[divan::bench]
fn encode_joint_state_14(bencher: Bencher) {
    let message = joint_state();
    bencher.bench(|| cdr::to_bytes(black_box(&message)));
}

#[divan::bench]
fn decode_joint_state_14(bencher: Bencher) {
    let bytes = cdr::to_bytes(&joint_state()).unwrap_or_default();
    bencher.bench(|| cdr::from_bytes::<JointState>(black_box(&bytes)));
}

#[divan::bench]
fn encode_trajectory_7x50(bencher: Bencher) {
    let message = trajectory();
    bencher.bench(|| cdr::to_bytes(black_box(&message)));
}

#[divan::bench]
fn decode_trajectory_7x50(bencher: Bencher) {
    let bytes = cdr::to_bytes(&trajectory()).unwrap_or_default();
    bencher.bench(|| cdr::from_bytes::<JointTrajectory>(black_box(&bytes)));
}
