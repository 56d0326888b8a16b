//! A message of openpi's protocol: an observation or a reason, for any bytes.
#![no_main]

use std::sync::LazyLock;

use f1_serve::array::Dialect;
use f1_serve::layout::Layout;
use f1_serve::observation::Observation;
use libfuzzer_sys::fuzz_target;

static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    Layout::parse(include_str!("../../../config/layouts/bench.yaml"), "bench").unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(map) = f1_serve::message::read(bytes) {
        let _ = Observation::read(&map, &LAYOUT, Dialect::Openpi);
    }
});
