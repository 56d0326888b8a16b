use std::collections::BTreeMap;
use std::path::Path;

use f1_middleware::{Backend, Context, ContextOptions};

use super::*;
use crate::resources::ResourceError;
use crate::safety::takeover::TakeoverFrom;
use crate::topics::{EVENT, TAKEOVER_ACTIVE};

/// What callbacks share, on a virtual clock.
fn shared(takeover: TakeoverFrom) -> (Context, Shared) {
    let context = Context::new(ContextOptions::new(Backend::mem_virtual())).unwrap();
    let node = context.create_node("safety_filter").unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/robots/bench_arm.yaml");
    let robot = Arc::new(Robot::load(&file).unwrap());
    let none = || Err(ResourceError::Parameter("model is not set".into()));
    let core = Core::new(Box::new(none), 1);
    let outputs = Outputs::open(&node, &robot, false, &BTreeMap::new(), &core).unwrap();
    let shared = Shared::new(
        core,
        robot.clone(),
        node.clock(),
        Checks {
            filter: SafetyFilter::new(robot, FilterSettings::default()),
            locks: Locks::new(&[], Duration::from_millis(500)),
            takeover: Takeover::new(takeover, Duration::from_millis(500)),
            home_speed: 0.2,
        },
        outputs,
        Reports {
            events: EVENT.publisher(&node).unwrap(),
            taken: TAKEOVER_ACTIVE.publisher(&node).unwrap(),
        },
        StopRequest::default(),
    );
    (context, shared)
}

#[test]
fn until_the_policy_begins_anew_nothing_is_followed_that_it_made_while_a_person_had_the_robot() {
    let (_context, shared) = shared(TakeoverFrom::Topic);
    shared.active.store(true, Ordering::SeqCst);
    shared.takeover(|takeover, now| takeover.receive(now, true));
    let mut guarded = shared.guarded.lock();
    assert!(guarded.handed_over);
    guarded.takeover.receive(shared.clock.steady(), false);
    let now = shared.clock.now().nanoseconds();
    assert!(shared.hand_over(&mut guarded, now));
    let robot = &shared.robot;
    let names: Vec<String> = robot.joints().iter().map(|joint| joint.name.clone()).collect();
    let positions = robot.home().to_vec();
    let chunk = f1_robot::RawChunk {
        stamp: now,
        sequence: 1,
        epoch: shared.core.epoch(),
        joint_names: names.clone(),
        rate_hz: robot.rate_hz(),
        rows: vec![positions.clone(); 5],
    };
    let state = MeasuredState { stamp: now, names, positions, velocities: Vec::new() };
    let input = FilterInput { now, state: Some(state), chunk: Some(chunk), lock: false };
    let output = guarded.filter.step(&input);
    assert!(output.trajectories.is_empty(), "{output:?}");
    assert!(output.events.iter().any(|event| event.rule == Rule::Epoch), "{output:?}");
}

#[test]
fn while_a_step_holds_the_filter_it_is_not_known_whether_the_robot_moves() {
    let (_context, shared) = shared(TakeoverFrom::Off);
    assert_eq!(shared.moves(), Some(false));
    let step = shared.guarded.lock();
    assert_eq!(shared.moves(), None);
    assert!(!shared.stop_within("a test", Duration::from_millis(1)));
    drop(step);
    assert_eq!(shared.moves(), Some(false));
    assert_eq!(shared.stop.lock().as_deref(), Some("a test"));
}
