//! What goes out, and what comes of it.

use f1_model::{ActRequest, RtcGuidance};
use f1_policy_node::foresight::Mode;
use f1_policy_node::policy::PerceiveRequest;
use f1_policy_node::stages::StageTimes;
use f1_serve::array::{Array, Dialect};
use f1_serve::layout::Layout;
use f1_serve::message;
use f1_serve::observation::Observation as Received;
use rmpv::Value;

use crate::stand_in::{
    Map, Reply, Setup, StandIn, act, chunk, connect, observation, options, perceive, root,
};

const ROW: [f32; 8] = [0.01, -0.01, 0.0, 0.01, 0.0, 0.0, 0.0, 0.001];

/// What our own server says of the bench's network.
fn ours() -> Value {
    let keys = f1_serve::openpi::EXTRA_KEYS.map(Value::from).to_vec();
    message::map([
        ("server", "f1_serve".into()),
        ("layout", "bench".into()),
        ("state_width", 8.into()),
        ("action_width", 8.into()),
        ("action_horizon", 5.into()),
        ("history_frames", 4.into()),
        ("history_stride", 5.into()),
        ("needs_full_history", false.into()),
        ("foresees", true.into()),
        ("frame_side", 4.into()),
        ("crop_ratio", 1.0.into()),
        ("extra_keys", Value::Array(keys)),
    ])
}

fn keys(request: &Map) -> Vec<&str> {
    request.iter().filter_map(|(key, _)| key.as_str()).collect()
}

#[test]
fn a_foreign_server_gets_the_layouts_keys_alone_and_its_rows_are_the_robots() {
    let server = StandIn::start(Setup::new(|_, _| chunk(3, &ROW)));
    let resources = connect(&server.url(), &options()).unwrap();
    let info = resources.policy.info();
    assert!(info.foresight.is_none() && !info.takes_guidance);
    assert_eq!(resources.policy.horizon(), 1);
    let mut times = StageTimes::default();
    let rows = perceive(&resources, 7, true).act(&ActRequest::default(), &mut times).unwrap();
    assert_eq!(rows, vec![ROW.to_vec(); 3]);
    assert_eq!(resources.policy.horizon(), 3);
    // The share of the server is what it says, 1 ms.
    assert!(times.server.as_micros() <= 1000 && !times.network.is_zero(), "{times:?}");
    let requests = server.requests.lock();
    let request = &requests[0];
    let wanted = ["observation/front", "observation/wrist", "observation/state", "prompt"];
    assert_eq!(keys(request), wanted);
    // The server's own reader finds the robot's observation in it.
    let layout = Layout::load("bench", &root().join("config/layouts")).unwrap();
    let received = Received::read(request, &layout, Dialect::Openpi).unwrap();
    let sent = observation(&resources, 7);
    for (camera, image) in received.images.iter().enumerate() {
        assert_eq!(image.as_ref(), Some(&*sent.cameras[camera].as_ref().unwrap().image));
    }
    let state: Vec<f32> = received.state.iter().map(|value| *value as f32).collect();
    assert_eq!(state, sent.joints.state);
    assert_eq!(received.prompt, "pick up the red cube");
}

#[test]
fn a_layout_that_turns_and_scales_is_undone_by_the_server_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let bench = std::fs::read_to_string(root().join("config/layouts/bench.yaml")).unwrap();
    let text = bench
        .replace(
            "openpi: observation/front",
            "openpi: [images, front]\n    rotate: 90\n    axes: chw",
        )
        .replace("openpi: observation/wrist", "openpi: [images, wrist]\n    mirror: horizontal")
        .replace("    size: 8", "    size: 8\n    scale: 0.5\n    offset: 0.25")
        .replace("  width: 8", "  width: 8\n  scale: 2.0\n  offset: 1.0");
    let file = folder.path().join("turned.yaml");
    std::fs::write(&file, &text).unwrap();
    let layout = Layout::parse(&text, "turned").unwrap();
    let sent = ROW.map(|value| value * 2.0 + 1.0);
    let server = StandIn::start(Setup::new(move |_, _| chunk(2, &sent)));
    let options = f1_policy_node::foresight::ServerOptions {
        layout: file.display().to_string(),
        ..options()
    };
    let resources = connect(&server.url(), &options).unwrap();
    let rows = act(&resources, 0).unwrap();
    for (found, wanted) in rows.concat().iter().zip(ROW.iter().cycle()) {
        assert!((found - wanted).abs() < 1e-6, "{rows:?}");
    }
    let requests = server.requests.lock();
    let received = Received::read(&requests[0], &layout, Dialect::Openpi).unwrap();
    let sent = observation(&resources, 0);
    for (camera, image) in received.images.iter().enumerate() {
        assert_eq!(image.as_ref(), Some(&*sent.cameras[camera].as_ref().unwrap().image));
    }
    for (found, wanted) in received.state.iter().zip(&sent.joints.state) {
        assert!((found - f64::from(*wanted)).abs() < 1e-6);
    }
}

#[test]
fn our_server_gets_stamp_seed_history_and_the_rows_that_are_held() {
    let answer = |_: usize, request: &Map| {
        let image = Array::from_u8(vec![4, 4, 3], vec![9; 48]).unwrap();
        let actions = Array::from_f32(vec![1, 8], &ROW).unwrap();
        Reply::Bytes(message::write(&message::map([
            ("actions", actions.write(Dialect::Openpi)),
            ("foresight/image", image.write(Dialect::Openpi)),
            ("stamp", message::get(request, "stamp").unwrap().clone()),
        ])))
    };
    let setup = Setup { metadata: ours(), ..Setup::new(answer) };
    let server = StandIn::start(setup);
    // The layout is the one that the server names.
    let resources = connect(
        &server.url(),
        &f1_policy_node::foresight::ServerOptions { layout: String::new(), ..options() },
    )
    .unwrap();
    assert_eq!(resources.policy.horizon(), 5);
    let foresight = resources.policy.info().foresight.unwrap();
    assert_eq!((foresight.history_frames, foresight.side), (4, 4));
    let perceived = perceive(&resources, -5, true);
    let guidance = RtcGuidance {
        previous: (0..5).map(|row| vec![row as f32; 8]).collect(),
        weights: vec![1.0, 1.0, 0.5, 0.0, 0.0],
    };
    let request = ActRequest { seed: 0, guidance: Some(guidance) };
    let mut times = StageTimes::default();
    perceived.act(&request, &mut times).unwrap();
    assert_eq!(perceived.imagine().unwrap().as_raw(), &[9; 48]);
    let requests = server.requests.lock();
    let layout = Layout::load("bench", &root().join("config/layouts")).unwrap();
    let received = Received::read(&requests[0], &layout, Dialect::Openpi).unwrap();
    let extras = received.extras;
    assert_eq!((extras.seed, extras.stamp), (Some(u64::MAX - 1), Some(-5)));
    assert!(extras.foresight);
    assert_eq!(extras.history.unwrap().len(), 1);
    assert_eq!(extras.frozen, vec![vec![0.0; 8], vec![1.0; 8]]);
}

#[test]
fn robot_layout_and_server_are_held_against_each_other() {
    let wrong = |mut metadata: Value, name: &str, value: Value| {
        let Value::Map(map) = &mut metadata else { panic!() };
        map.iter_mut().find(|(key, _)| key.as_str() == Some(name)).unwrap().1 = value;
        metadata
    };
    let metadata = wrong(wrong(ours(), "state_width", 9.into()), "action_width", 7.into());
    let server = StandIn::start(Setup { metadata, ..Setup::new(|_, _| Reply::Close) });
    let fault = connect(&server.url(), &options()).unwrap_err().to_string();
    for part in ["state: 9", "action: 7", "bench_arm"] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    let server = StandIn::start(Setup::new(|_, _| Reply::Close));
    let unnamed = f1_policy_node::foresight::ServerOptions { layout: String::new(), ..options() };
    let fault = connect(&server.url(), &unnamed).unwrap_err().to_string();
    assert!(fault.contains("name a layout"), "{fault}");
    let other = f1_policy_node::foresight::ServerOptions { layout: "aloha".into(), ..options() };
    let fault = connect(&server.url(), &other).unwrap_err().to_string();
    assert!(fault.contains("14 of the layout"), "{fault}");
}

#[test]
fn a_server_foresees_with_each_chunk_and_in_no_other_mode() {
    let setup = Setup { metadata: ours(), ..Setup::new(|_, _| chunk(5, &ROW)) };
    let server = StandIn::start(setup);
    let resources = connect(&server.url(), &options()).unwrap();
    let passes = &resources.policy.info().passes;
    assert!(!passes.foresight_alone && Mode::On.check(passes).is_ok());
    for (mode, name) in [(Mode::Cached, "mode cached"), (Mode::Off, "mode off")] {
        let fault = mode.check(passes).unwrap_err();
        assert!(fault.contains(name) && fault.contains("policy server"), "{fault}");
    }
    let observation = &observation(&resources, 7);
    let request = PerceiveRequest { observation, seed: 1, show: true };
    let times = &mut StageTimes::default();
    assert!(resources.policy.understand(&request, times).is_err());
    let perceived = resources.policy.perceive(&request, times).unwrap();
    assert!(perceived.renew(&request, times).is_err());
    assert_eq!(server.requests.lock().len(), 0, "nothing was asked for");
}
