//! The parameter services, as `ros2 param` calls them.

use f1_middleware::parameters::Descriptor;
use serde_json::{Value, json};

use crate::pair::{PATIENCE, Pair, service_pair};

fn call(pair: &mut Pair, service: &str, kind: &str, request: Value) -> Value {
    let service = pair.name(&format!("ours/{service}"));
    pair.peer
        .request(json!({
            "op": "call", "service": service, "type": format!("rcl_interfaces/srv/{kind}"), "request": request,
            "timeout": PATIENCE.as_secs() - 1,
        }))
        .unwrap()["response"]
        .clone()
}

fn double(name: &str, value: f64) -> Value {
    json!({ "name": name, "value": { "type": 3, "double_value": value } })
}

#[test]
fn the_peer_reads_and_sets_our_parameters() {
    let Some(mut pair) = service_pair() else { return };
    let parameters = pair.node.parameters().clone();
    parameters
        .declare("rate", 10.0, Descriptor::new("Replans per second, in Hz").doubles(1.0, 50.0))
        .unwrap();
    parameters
        .declare(
            "robot",
            "bench_arm".to_owned(),
            Descriptor::new("Name of the robot file").read_only(),
        )
        .unwrap();

    let listed = call(&mut pair, "list_parameters", "ListParameters", json!({ "depth": 0 }));
    let names = listed["result"]["names"].as_array().unwrap().clone();
    assert!(names.contains(&json!("rate")) && names.contains(&json!("robot")), "{listed}");

    let found =
        call(&mut pair, "get_parameters", "GetParameters", json!({ "names": ["rate", "robot"] }));
    assert_eq!(found["values"][0]["double_value"], 10.0);
    assert_eq!(found["values"][1]["string_value"], "bench_arm");

    let types = call(
        &mut pair,
        "get_parameter_types",
        "GetParameterTypes",
        json!({ "names": ["rate", "robot"] }),
    );
    assert_eq!(types["types"], json!([3, 4]));

    let described =
        call(&mut pair, "describe_parameters", "DescribeParameters", json!({ "names": ["rate"] }));
    let range = &described["descriptors"][0]["floating_point_range"][0];
    assert_eq!((&range["from_value"], &range["to_value"]), (&json!(1.0), &json!(50.0)));

    let set = call(
        &mut pair,
        "set_parameters",
        "SetParameters",
        json!({ "parameters": [double("rate", 20.0), double("rate", 99.0)] }),
    );
    assert_eq!(set["results"][0]["successful"], true, "{set}");
    assert_eq!(set["results"][1]["successful"], false, "{set}");
    assert_eq!(parameters.get::<f64>("rate").unwrap(), 20.0);

    let robot = json!({ "name": "robot", "value": { "type": 4, "string_value": "franka" } });
    let set = call(
        &mut pair,
        "set_parameters_atomically",
        "SetParametersAtomically",
        json!({ "parameters": [double("rate", 30.0), robot] }),
    );
    assert_eq!(set["result"]["successful"], false, "a read-only parameter was set: {set}");
    assert_eq!(parameters.get::<f64>("rate").unwrap(), 20.0, "half of a refused set was kept");
}
