//! The modes of foresight and its error, on the bench with the shipped model.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::{ActionChunk, ForesightError, PolicyStatus};
use f1_middleware::{Backend, Context, ContextOptions, NodeOptions, Qos, RosArgs};
use f1_model::{Config, F1Policy, LoadOptions};
use f1_policy_node::process::{PolicyProcess, ProcessOptions};
use f1_policy_node::resources::Resources;
use f1_sim::demonstrations::LEAD_IN;
use f1_sim::node::{SimNode, SimOptions};
use f1_sim::{BenchSettings, Disturb, Outcome, Split, Task};
use parking_lot::Mutex;

use crate::kit;

/// What was published.
#[derive(Default)]
struct Received {
    chunks: Vec<ActionChunk>,
    errors: Vec<ForesightError>,
    statuses: Vec<PolicyStatus>,
}

struct Graph {
    context: Context,
    process: PolicyProcess,
    sim: SimNode,
    received: Arc<Mutex<Received>>,
    _keep: Vec<Box<dyn std::any::Any>>,
}

/// The shipped model, as if it had been trained to act without foresight too.
fn resources(optional: bool) -> Resources {
    let folder = kit::root().join("models/f1_bench");
    let robot_file = kit::root().join("config/robots/bench_arm.yaml");
    let robot = kit::robot("bench_arm");
    let mut config = Config::load(&folder).unwrap();
    config.run.optional_foresight = optional;
    let policy = F1Policy::load_with_config(&folder, &config, &LoadOptions::default()).unwrap();
    let statistics = Resources::statistics(&robot, &robot_file, &folder).unwrap();
    Resources::assemble(robot, Arc::new(policy), &statistics, &folder).unwrap()
}

fn settings(disturb: Option<Disturb>) -> BenchSettings {
    let mut settings = BenchSettings::new(Task::Dynamic, Split::NewSpeeds, 2_000_007);
    (settings.lead_in, settings.disturb) = (LEAD_IN, disturb);
    settings
}

/// The bench and the four nodes with these parameters, up and with a history.
fn start(parameters: &[&str], optional: bool, disturb: Option<Disturb>) -> Graph {
    let mut args: Vec<String> = ["f1", "--ros-args"].map(String::from).to_vec();
    for parameter in parameters {
        args.extend(["-p".into(), format!("/**/foresight:{parameter}")]);
    }
    let (args, _) = RosArgs::parse(args).unwrap();
    let context = Context::new(ContextOptions { backend: Backend::mem_virtual(), args }).unwrap();
    let options = SimOptions { truth: true, ..SimOptions::default() };
    let robot = kit::robot("bench_arm");
    let sim = SimNode::start(&context, &robot, settings(disturb), &options).unwrap();
    let loader = kit::loading(move || resources(optional));
    let process = PolicyProcess::compose(&context, loader, &ProcessOptions::default()).unwrap();
    let node = context.create_node_with("observer", NodeOptions::in_namespace("/f1")).unwrap();
    let received: Arc<Mutex<Received>> = Arc::default();
    let mut keep: Vec<Box<dyn std::any::Any>> = Vec::new();
    let into = received.clone();
    keep.push(Box::new(node.create_subscription::<ActionChunk>(
        "action/chunk",
        Qos::reliable(),
        move |message, _| into.lock().chunks.push((*message).clone()),
    )));
    let into = received.clone();
    keep.push(Box::new(node.create_subscription::<ForesightError>(
        "foresight/error",
        Qos::reliable(),
        move |message, _| into.lock().errors.push((*message).clone()),
    )));
    let into = received.clone();
    keep.push(Box::new(node.create_subscription::<PolicyStatus>(
        "status",
        Qos::latched(),
        move |message, _| into.lock().statuses.push((*message).clone()),
    )));
    keep.push(Box::new(node));
    context.executor().spin_for(Duration::from_secs(1));
    Graph { context, process, sim, received, _keep: keep }
}

impl Graph {
    /// Plays from the instruction on for so many seconds.
    fn play(&self, disturb: Option<Disturb>, seconds: f64) {
        self.sim.reset(settings(disturb)).unwrap();
        self.context.executor().spin_for(Duration::from_secs_f64(LEAD_IN));
        self.process.core().set_instruction(&self.sim.instruction());
        self.context.executor().spin_for(Duration::from_secs_f64(seconds));
    }

    fn passes(&self) -> u64 {
        self.process.core().resources().unwrap().policy.generation_passes()
    }
}

#[test]
fn without_foresight_chunks_come_and_no_generation_pass_runs() {
    let graph = start(&["mode:=off"], true, None);
    assert!(graph.process.is_started(), "{:?}", graph.process.status().state());
    graph.play(None, 3.0);
    let received = graph.received.lock();
    assert!(received.chunks.len() >= 6, "{} chunks", received.chunks.len());
    assert_eq!((graph.passes(), received.errors.len()), (0, 0));
    for chunk in &received.chunks {
        assert_eq!((chunk.foresight_stamp.nanoseconds(), chunk.history_stamps.len()), (0, 0));
    }
    assert!(graph.process.status().stages.history.is_zero(), "no history frame is encoded");
}

#[test]
fn a_model_that_was_not_trained_for_it_is_not_run_without_foresight() {
    let graph = start(&["mode:=off"], false, None);
    assert!(!graph.process.is_started());
    let reason = graph.process.status().state().1;
    assert!(reason.contains("foresight: parameter mode off"), "{reason}");
    assert!(!reason.contains("no instruction"), "{reason}");
    let graph = start(&[], false, None);
    assert!(graph.process.is_started());
    let nodes = graph.process.nodes();
    let foresight = nodes.iter().find(|node| node.name() == "foresight").unwrap();
    let error = foresight.parameters().set("mode", "off".to_owned()).unwrap_err();
    assert!(error.to_string().contains("was not trained to act without foresight"), "{error}");
    foresight.parameters().set("mode", "cached".to_owned()).unwrap();
}

#[test]
fn kept_foresight_is_used_again_until_it_is_too_old() {
    let graph = start(&["mode:=cached", "cache_time:=1.5"], true, None);
    graph.play(None, 4.0);
    let received = graph.received.lock();
    let chunks = received.chunks.len() as u64;
    assert!(chunks >= 8, "{chunks} chunks");
    // Three of four chunks, 0.35 to 0.4 s apart, use what was foreseen before.
    let passes = graph.passes();
    assert!(passes >= 2 && 3 * passes <= chunks + 3, "{passes} passes for {chunks} chunks");
    // The chunk says of which moment its foresight is.
    let ahead = |chunk: &ActionChunk| {
        (chunk.foresight_stamp.nanoseconds() - chunk.header.stamp.nanoseconds()) as f64 * 1e-9
    };
    let fresh = received.chunks.iter().filter(|chunk| (ahead(chunk) - 0.5).abs() < 1e-6).count();
    assert_eq!(fresh as u64, passes);
    assert!(received.chunks.iter().all(|chunk| ahead(chunk) > 0.5 - 1.5));
}

#[test]
fn an_error_that_crosses_the_threshold_ends_kept_foresight() {
    // Every error is below 60 dB: after each one the whole prefix is computed again.
    let parameters = ["mode:=cached", "cache_time:=60.0", "replan_psnr:=60.0"];
    let graph = start(&parameters, true, None);
    graph.play(None, 4.0);
    let received = graph.received.lock();
    assert!(received.errors.len() >= 3, "{} errors", received.errors.len());
    for error in received.errors.iter().filter(|error| error.epoch == received.chunks[0].epoch) {
        let at = error.header.stamp.nanoseconds();
        // The next chunk whose observation came after the error has foresight of its own.
        let next = received.chunks.iter().find(|chunk| chunk.header.stamp.nanoseconds() > at);
        let Some(next) = next else { continue };
        let ahead = next.foresight_stamp.nanoseconds() - next.header.stamp.nanoseconds();
        assert_eq!(ahead, 500_000_000, "after {at}");
    }
    let calm = start(&["mode:=cached", "cache_time:=60.0"], true, None);
    calm.play(None, 4.0);
    assert_eq!(calm.passes(), 1, "nothing calls for new foresight");
}

#[test]
fn the_error_is_a_signal_of_five_hertz_whatever_the_chunks_do() {
    let rate = |parameters: &[&str]| {
        let graph = start(parameters, true, None);
        graph.play(None, 4.0);
        let received = graph.received.lock();
        let stamps: Vec<i64> =
            received.errors.iter().map(|error| error.header.stamp.nanoseconds()).collect();
        let seconds = (stamps.last().unwrap() - stamps[0]) as f64 * 1e-9;
        (received.chunks.len(), (stamps.len() - 1) as f64 / seconds)
    };
    let (chunks, of_chunks) = rate(&["error_rate:=0.0"]);
    let (same, often) = rate(&[]);
    assert!(of_chunks < 3.5 && often >= 5.0, "{of_chunks} {often}");
    assert_eq!(chunks, same, "chunks come as often as without");
}

#[test]
fn errors_and_status_stand_beside_the_newest_frame() {
    let graph = start(&[], true, None);
    graph.play(None, 4.0);
    let received = graph.received.lock();
    for error in &received.errors {
        assert!(error.psnr.is_finite() && error.psnr_if_still.is_finite(), "{error:?}");
        assert!(error.psnr_worst <= error.psnr, "{error:?}");
        assert!((0.0..=1.0).contains(&error.ssim) && error.ssim_if_still <= 1.0, "{error:?}");
    }
    let status = received.statuses.iter().rev().find(|status| status.foresight_psnr.is_finite());
    let status = status.unwrap();
    let error = received
        .errors
        .iter()
        .find(|error| error.psnr == status.foresight_psnr)
        .expect("its error");
    assert_eq!(
        (status.foresight_psnr_changed, status.foresight_psnr_changed_if_still),
        (error.psnr_changed, error.psnr_changed_if_still)
    );
    assert_eq!(
        (status.foresight_ssim, status.foresight_psnr_if_still, status.foresight_psnr_worst),
        (error.ssim, error.psnr_if_still, error.psnr_worst)
    );
}

#[test]
fn what_is_disturbed_shows_in_the_history_camera_afterwards() {
    for kind in [Disturb::Speed, Disturb::Swap, Disturb::Push] {
        let graph = start(&[], true, Some(kind));
        graph.play(Some(kind), 4.5);
        let disturbed = graph.sim.disturbed();
        if graph.sim.outcome() != Outcome::Running && disturbed.is_none() {
            continue;
        }
        let disturbed = disturbed.unwrap_or_else(|| panic!("{kind:?}: nothing happened"));
        assert!((1.0..=4.05).contains(&disturbed.time), "{disturbed:?}");
        let truths = graph.sim.truths();
        let shows = truths.iter().position(|truth| truth.disturbed);
        let shows = shows.unwrap_or_else(|| panic!("{kind:?}: it never shows"));
        let began = truths[0].stamp_ns as f64 * 1e-9 + LEAD_IN;
        let delay = truths[shows].stamp_ns as f64 * 1e-9 - began - disturbed.time;
        assert!((-0.1..1.5).contains(&delay), "{kind:?}: {delay} s");
    }
}
