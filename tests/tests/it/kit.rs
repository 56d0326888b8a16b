//! What the tests of the nodes are made of: robots, a small random network, statistics in which it
//! moves a little.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use f1_model::{Config, F1Policy, LoadOptions};
use f1_policy_node::process::LoaderOf;
use f1_policy_node::resources::Resources;
use f1_robot::Robot;
use f1_robot::statistics::{DatasetStatistics, VectorStatistics};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A shipped robot.
pub fn robot(name: &str) -> Arc<Robot> {
    Arc::new(Robot::load(&root().join(format!("config/robots/{name}.yaml"))).unwrap())
}

/// A shipped robot with its file's text changed.
pub fn changed_robot(name: &str, change: impl FnOnce(String) -> String) -> Arc<Robot> {
    let text = std::fs::read_to_string(root().join(format!("config/robots/{name}.yaml"))).unwrap();
    let urdf = std::fs::read_to_string(root().join(format!("urdf/{name}.urdf"))).unwrap();
    Arc::new(Robot::from_text(&change(text), &urdf).unwrap())
}

/// The bench arm with a third camera.
pub fn three_cameras() -> Arc<Robot> {
    changed_robot("bench_arm", |text| {
        text.replace(
            "  - {name: wrist,",
            "  - {name: side, topic: side/image_raw, roles: [und]}\n  - {name: wrist,",
        )
    })
}

/// A policy of random weights, small enough for tests, with vectors wide enough for every shipped
/// robot;
/// `full_history`: one that waits for a whole history.
pub fn random_policy(seed: u64, full_history: bool) -> Arc<F1Policy> {
    let mut config = Config::load(&root().join("tests/goldens/tiny_f32")).unwrap();
    (config.max_state_dim, config.max_action_dim, config.chunk_size) = (32, 32, 12);
    config.run.full_history = full_history;
    let mut policy = F1Policy::random(&config, seed, &LoadOptions::default()).unwrap();
    policy.set_tokenizer(&root().join("models/f1_bench/tokenizer.json")).unwrap();
    Arc::new(policy)
}

fn vector(mean: Vec<f64>, std: f64) -> VectorStatistics {
    let around = |sign: f64| mean.iter().map(|mean| mean + sign * 3.0 * std).collect::<Vec<_>>();
    let (min, max) = (around(-1.0), around(1.0));
    VectorStatistics {
        q01: min.clone(),
        q99: max.clone(),
        std: vec![std; mean.len()],
        min,
        max,
        mean,
        count: Vec::new(),
        ignored: Vec::new(),
    }
}

/// Statistics in which normalised actions are `std` rad (m) around `mean`.
pub fn statistics(robot: &Robot, mean: Vec<f64>, std: f64) -> DatasetStatistics {
    DatasetStatistics {
        state: vector(vec![0.0; robot.file().state_dim()], 1.0),
        action: vector(mean, std),
    }
}

/// What the nodes load: a random network whose actions are small joint deltas.
pub fn resources(robot: &Arc<Robot>, std: f64, full_history: bool) -> Resources {
    let statistics = statistics(robot, vec![0.0; robot.file().action_dim()], std);
    Resources::assemble(
        robot.clone(),
        random_policy(3, full_history),
        &statistics,
        Path::new("random"),
    )
    .unwrap()
}

/// A loader of what `make` makes.
pub fn loading(make: impl Fn() -> Resources + Send + Sync + 'static) -> LoaderOf {
    Box::new(move |_| Box::new(move || Ok(make())))
}
