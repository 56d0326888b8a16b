//! Services both ways.

use std::sync::mpsc::channel;

use f1_interfaces::std_srvs::srv::{
    SetBool, SetBoolRequest, SetBoolResponse, Trigger, TriggerResponse,
};
use serde_json::json;

use crate::pair::{PATIENCE, service_pair, until};

#[test]
fn the_peer_calls_us() {
    let Some(mut pair) = service_pair() else { return };
    let _server = pair
        .node
        .create_service::<SetBool>("set", |request| SetBoolResponse {
            success: request.data,
            message: format!("was {}", request.data),
        })
        .unwrap();
    let service = pair.name("set");
    for data in [true, false, true] {
        let reply = pair
            .peer
            .request(json!({
                "op": "call", "service": service, "type": "std_srvs/srv/SetBool", "request": { "data": data },
                "timeout": PATIENCE.as_secs() - 1,
            }))
            .unwrap();
        assert_eq!(reply["response"], json!({ "success": data, "message": format!("was {data}") }));
    }
}

#[test]
fn an_empty_request_is_answered() {
    let Some(mut pair) = service_pair() else { return };
    let _server = pair
        .node
        .create_service::<Trigger>("stop", |_| TriggerResponse {
            success: true,
            message: "at rest".to_owned(),
        })
        .unwrap();
    let service = pair.name("stop");
    let reply = pair
        .peer
        .request(json!({
            "op": "call", "service": service, "type": "std_srvs/srv/Trigger", "timeout": PATIENCE.as_secs() - 1,
        }))
        .unwrap();
    assert_eq!(reply["response"], json!({ "success": true, "message": "at rest" }));
}

#[test]
fn we_call_the_peer() {
    let Some(mut pair) = service_pair() else { return };
    let service = pair.name("set");
    pair.peer
        .request(json!({
            "op": "service", "name": "set", "service": service, "type": "std_srvs/srv/SetBool",
            "response": { "success": true, "message": "ok" },
        }))
        .unwrap();
    let client = pair.node.create_client::<SetBool>("set").unwrap();
    until("a server", || client.is_ready());
    for data in [true, false, true] {
        let (sender, receiver) = channel();
        client
            .call(SetBoolRequest { data }, PATIENCE, move |answer| {
                let _ = sender.send(answer);
            })
            .unwrap();
        let answer = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((answer.success, answer.message.as_str()), (true, "ok"));
        let event = pair.peer.event("request", PATIENCE).unwrap();
        assert_eq!(event["value"], json!({ "data": data }));
    }
}
