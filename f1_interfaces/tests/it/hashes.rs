//! Type hashes equal the ones that ROS 2 publishes.

use std::collections::BTreeMap;

use f1_interfaces::{Action, Message, Service};
use f1_interfaces_gen::describe::Descriptions;
use f1_interfaces_gen::model::Kind;

/// Name and hash of types as ROS 2 gives them.
const PUBLISHED: &str = include_str!("type_hashes.txt");

fn ours() -> BTreeMap<&'static str, &'static str> {
    let mut ours = BTreeMap::new();
    macro_rules! message {
        ($type:ty) => {
            ours.insert(<$type as Message>::TYPE_NAME, <$type as Message>::TYPE_HASH)
        };
    }
    macro_rules! service {
        ($type:ty) => {
            ours.insert(<$type as Service>::TYPE_NAME, <$type as Service>::TYPE_HASH)
        };
    }
    macro_rules! action {
        ($type:ty) => {
            ours.insert(<$type as Action>::TYPE_NAME, <$type as Action>::TYPE_HASH)
        };
    }
    f1_interfaces::for_each_message!(message);
    f1_interfaces::for_each_service!(service);
    f1_interfaces::for_each_action!(action);
    ours
}

#[test]
fn type_hashes_equal_the_published_ones() {
    let ours = ours();
    let mut compared = 0;
    for line in PUBLISHED.lines().filter(|line| !line.starts_with('#')) {
        let (name, hash) = line.split_once(' ').unwrap();
        assert_eq!(ours.get(name), Some(&hash), "{name}");
        compared += 1;
    }
    assert!(compared > 100, "only {compared} hashes were compared");
}

#[test]
fn every_type_has_a_hash() {
    for (name, hash) in ours() {
        assert_eq!(hash.len(), "RIHS01_".len() + 64, "{name}");
    }
}

/// The action of the ROS 2 tutorials, whose hashes are widely published.
#[test]
fn what_an_action_derives_has_the_published_hashes() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut interfaces = f1_interfaces_gen::read(&[&here.join("definitions")], &[]).unwrap();
    let fibonacci = f1_interfaces_gen::parse(
        "example_interfaces",
        Kind::Action,
        "Fibonacci",
        "int32 order\n---\nint32[] sequence\n---\nint32[] sequence\n",
    )
    .unwrap();
    interfaces.insert(fibonacci.name().clone(), fibonacci);
    let descriptions = Descriptions::new(&interfaces);
    for (suffix, hash) in [
        ("", "9508051da1ea4658de144b09bd0690ff3de52104683d847aed764d2915906f51"),
        ("_Goal", "226cb437e4355dcd3e914f930382a3b0cc1da81545bd319ed554e95a03255f51"),
        ("_SendGoal", "d1a57fb2a4afe8c21e34fb10db206f16ce6729b28531141472df92277c55b557"),
        ("_SendGoal_Request", "3d088942b413247db536576f0286768c6be8fcd5d0c9a5d544f359fba090a238"),
        ("_GetResult", "1b0de0d5d29dc955d92f546706568428632771db13ec84c15ec1c1a59f424a57"),
        ("_GetResult_Request", "c8a4f5e7d13b81286ee1043e2ecd084281cecf1ff06aaa799464f5f15479f003"),
        ("_FeedbackMessage", "c1de71afd52e49a89c53d8262366884185bc0a02f78ce051c4e46b0a7fe59bb2"),
    ] {
        let name = format!("example_interfaces/action/Fibonacci{suffix}");
        assert_eq!(descriptions.hash(&name), Some(format!("RIHS01_{hash}")), "{name}");
    }
}
