//! Decoding allocates no more than the buffer implies. A test binary of its own, because it counts
//! every allocation.
#![allow(clippy::unwrap_used)]

use std::alloc::System;

use cap::Cap;
use f1_interfaces::cdr::{from_bytes, to_bytes};
use f1_interfaces::random;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A string of no bytes is four on the wire and 24 in memory, and a vector that grows by doubling
/// has allocated twice its length in all.
const GREATEST_FACTOR: usize = 32;

fn check<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) {
    let before = ALLOCATOR.total_allocated();
    let _ = std::hint::black_box(from_bytes::<T>(bytes));
    let allocated = ALLOCATOR.total_allocated() - before;
    assert!(
        allocated <= GREATEST_FACTOR * bytes.len() + 1024,
        "{what}: {allocated} bytes for a buffer of {}",
        bytes.len()
    );
}

#[test]
fn lengths_that_lie_do_not_allocate() {
    macro_rules! all {
        ($type:ty) => {
            let what = <$type as f1_interfaces::Message>::TYPE_NAME;
            for seed in 0..10 {
                let good = to_bytes(&random::value::<$type>(seed)).unwrap();
                check::<$type>(&good, what);
                // Each aligned word in turn claims the greatest length, a large one, and one that
                // just does not fit.
                for at in (4..good.len().saturating_sub(3)).step_by(4) {
                    for lie in [u32::MAX, 1 << 20, good.len() as u32] {
                        let mut bytes = good.clone();
                        bytes[at..at + 4].copy_from_slice(&lie.to_le_bytes());
                        check::<$type>(&bytes, what);
                    }
                }
            }
            // As many elements as a buffer of zeros can hold: every length is zero.
            for count in [0u32, 1, 100, 1000, 10_000] {
                let mut bytes = vec![0; 65_536];
                bytes[1] = 1;
                bytes[4..8].copy_from_slice(&count.to_le_bytes());
                check::<$type>(&bytes, what);
            }
        };
    }
    f1_interfaces::for_each_message!(all);
}
