//! What an image costs between its message and the motion: how often its pixels are copied, and
//! how long everything but decoding and inference takes (reported, not asserted).

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use f1_interfaces::sensor_msgs::msg::Image;
use f1_middleware::{Backend, Qos};

use crate::fake_robot::{FakeRobot, Setup};
use crate::kit;

/// No other test has images of this size: whatever allocates their bytes copies such an image.
const SIZE: (u32, u32) = (642, 478);
const BYTES: usize = (SIZE.0 * SIZE.1 * 3) as usize;
/// One plane of such an image as floats.
const PLANE: usize = (SIZE.0 * SIZE.1 * 4) as usize;

static IMAGES: AtomicU64 = AtomicU64::new(0);
static PLANES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, with a count of buffers that can hold a watched image.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(size: usize) {
    if size == BYTES {
        IMAGES.fetch_add(1, Ordering::Relaxed);
    } else if size == PLANE {
        PLANES.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed to the system's allocator as it is; counting touches two atomics and
// allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The fake robot itself makes one buffer a frame: that of the message.
const MADE: u64 = 1;

#[test]
fn an_image_is_copied_at_most_once_after_decoding() {
    let robot = kit::three_cameras();
    let fake = FakeRobot::start(Setup { size: SIZE, camera_rate: 10.0, ..Setup::new(robot) });
    fake.run(0.5);
    fake.process.core().set_instruction("put the red cube into the bin");
    fake.run(1.0);
    let counts = |fake: &FakeRobot| {
        let (sent, chunks) = (fake.log.lock().sent, fake.process.status().total_chunks);
        (IMAGES.load(Ordering::Relaxed), PLANES.load(Ordering::Relaxed), sent, chunks)
    };
    let before = counts(&fake);
    fake.run(2.0);
    let after = counts(&fake);
    let (images, planes) = (after.0 - before.0, after.1 - before.1);
    let (sent, chunks) = (after.2 - before.2, after.3 - before.3);
    println!(
        "{sent} images, {chunks} chunks: {} copies of pixels, {planes} planes of floats",
        images - MADE * sent
    );
    assert!(sent >= 50 && chunks >= 2);
    // Decoding an unpadded rgb8 image moves its bytes. The only copy after it is the network's
    // own: three planes of floats for each camera of an observation that is inferred (one
    // inference may have begun before, one may not have ended).
    assert_eq!(images, MADE * sent);
    assert!(planes <= 3 * 3 * (chunks + 1), "{planes} planes for {chunks} chunks");

    // With a second listener in the process the decoder has to leave the message to it: one copy,
    // and still one only.
    let listener =
        fake.node.create_subscription::<Image>("front/image_raw", Qos::reliable(), |_, _| {});
    fake.node.keep(listener.unwrap());
    let before = counts(&fake);
    fake.run(2.0);
    let after = counts(&fake);
    let (copies, sent) = (after.0 - before.0, after.2 - before.2);
    assert!(copies <= (MADE + 1) * sent, "{copies} buffers for {sent} images");
}

#[test]
fn the_time_between_message_and_motion_beside_decoding_and_inference_is_reported() {
    let setup = Setup {
        backend: Backend::mem(),
        size: (640, 480),
        camera_rate: 30.0,
        ..Setup::new(kit::three_cameras())
    };
    let fake = FakeRobot::start(setup.with(&["-p", "/f1/action:replan_steps:=1"]));
    fake.process.core().set_instruction("put the red cube into the bin");
    let end = Instant::now() + Duration::from_secs(60);
    let (mut seen, mut lost, mut filter) = (0, Vec::new(), Vec::new());
    while lost.len() < 40 && Instant::now() < end {
        fake.run(0.005);
        let status = fake.process.status();
        if status.latencies.len() > seen {
            seen = status.latencies.len();
            let times = status.stages;
            // The cameras are decoded side by side: one decoding is on the way, the others are
            // beside it. The history frame is encoded for one observation in three; it
            // is not taken off.
            let inference = times.resize + times.image_encoder + times.foresight + times.action;
            let known = times.decode / 3 + inference;
            lost.push(status.latency.saturating_sub(known).as_secs_f64() * 1e3);
            filter.push(times.filter.as_secs_f64() * 1e3);
        }
    }
    fake.context.shutdown();
    fake.context.join();
    assert!(lost.len() >= 10, "{} chunks in a minute", lost.len());
    let [lost, filter] = [lost, filter].map(|mut times| {
        times.sort_by(f64::total_cmp);
        [0.0, 0.1, 0.5, 0.9].map(|share| times[(times.len() as f64 * share) as usize])
    });
    for (what, [least, tenth, median, most]) in [
        ("message to trajectory less decoding and inference", lost),
        ("of that decoding the chunk and filter", filter),
    ] {
        println!(
            "{what}, ms: least {least:.2}, 10 % {tenth:.2}, median {median:.2}, 90 % {most:.2}"
        );
    }
    // A busy machine may take any time for this: only a stage that was not timed is refused.
    assert!(filter[0] > 0.0, "{filter:?} {lost:?}");
}
