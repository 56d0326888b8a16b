//! Services and parameters over them.

use std::sync::Arc;
use std::time::Duration;

use f1_interfaces::rcl_interfaces::msg::{Parameter, ParameterEvent, ParameterValue};
use f1_interfaces::rcl_interfaces::srv::{
    DescribeParameters, DescribeParametersRequest, GetParameters, GetParametersRequest,
    ListParameters, ListParametersRequest, SetParameters, SetParametersAtomically,
    SetParametersAtomicallyRequest, SetParametersRequest,
};
use f1_interfaces::std_srvs::srv::{SetBool, SetBoolRequest, SetBoolResponse};
use f1_middleware::parameters::Descriptor;
use f1_middleware::{Error, Qos};

use crate::support::{LIMIT, Pair, pairs, virtual_context};

/// Calls from `a` while both contexts run.
fn call<S: f1_interfaces::Service>(
    pair: &Pair,
    client: &f1_middleware::ServiceClient<S>,
    request: S::Request,
) -> Arc<S::Response> {
    pair.spin_until("a server", || client.is_ready());
    let slot = Arc::new(parking_lot::Mutex::new(None));
    let into = slot.clone();
    client.call(request, LIMIT, move |outcome| *into.lock() = Some(outcome)).unwrap();
    pair.spin_until("an answer", || slot.lock().is_some());
    slot.lock().take().unwrap().unwrap()
}

#[test]
fn a_service_answers_each_caller_with_its_own_answer() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("asker").unwrap(), pair.b.create_node("answerer").unwrap());
        let _server = b
            .create_service::<SetBool>("~/lock", |request| SetBoolResponse {
                success: request.data,
                message: "ok".into(),
            })
            .unwrap();
        let first = a.create_client::<SetBool>("/answerer/lock").unwrap();
        let second = b.create_client::<SetBool>("/answerer/lock").unwrap();
        for i in 0..5 {
            let response = call(&pair, &first, SetBoolRequest { data: i % 2 == 0 });
            assert_eq!(response.success, i % 2 == 0, "{}", pair.name);
            assert!(!call(&pair, &second, SetBoolRequest { data: false }).success);
        }
    }
}

#[test]
fn a_service_may_answer_later() {
    for pair in pairs() {
        let (a, b) =
            (pair.a.create_node("asker").unwrap(), pair.b.create_node("answerer").unwrap());
        let _server = b
            .create_deferred_service::<SetBool>("slow", |request, responder| {
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(50));
                    responder
                        .respond(SetBoolResponse { success: request.data, message: "late".into() });
                });
            })
            .unwrap();
        let client = a.create_client::<SetBool>("slow").unwrap();
        assert_eq!(
            call(&pair, &client, SetBoolRequest { data: true }).message,
            "late",
            "{}",
            pair.name
        );
    }
}

#[test]
fn a_call_without_a_server_times_out_on_the_virtual_clock() {
    let context = virtual_context();
    let node = context.create_node("asker").unwrap();
    let client = node.create_client::<SetBool>("nobody").unwrap();
    assert!(!client.is_ready());
    let slot = Arc::new(parking_lot::Mutex::new(None));
    let into = slot.clone();
    client
        .call(SetBoolRequest::default(), Duration::from_secs(2), move |outcome| {
            *into.lock() = Some(outcome)
        })
        .unwrap();
    context.executor().spin_for(Duration::from_millis(1999));
    assert!(slot.lock().is_none());
    context.executor().spin_for(Duration::from_millis(2));
    assert!(matches!(slot.lock().take(), Some(Err(Error::Timeout { .. }))));
}

#[test]
fn parameters_are_read_set_listed_and_described_from_outside() {
    for pair in pairs() {
        let (a, b) = (pair.a.create_node("tool").unwrap(), pair.b.create_node("action").unwrap());
        let parameters = b.parameters();
        parameters
            .declare("rate", 10.0, Descriptor::new("Rate in Hz.").doubles(1.0, 100.0))
            .unwrap();
        parameters
            .declare("device", "cpu".to_owned(), Descriptor::new("Device.").read_only())
            .unwrap();
        let events = a
            .create_newest_subscription::<ParameterEvent>(
                "/parameter_events",
                Qos::parameter_events(),
            )
            .unwrap();
        let get = a.create_client::<GetParameters>("/action/get_parameters").unwrap();
        let names = vec!["rate".to_owned(), "device".to_owned(), "nothing".to_owned()];
        let values =
            call(&pair, &get, GetParametersRequest { names: names.clone() }).values.clone();
        assert_eq!(values.iter().map(|v| v.r#type).collect::<Vec<_>>(), [3, 4, 0], "{}", pair.name);
        assert_eq!((values[0].double_value, values[1].string_value.as_str()), (10.0, "cpu"));

        let list = a.create_client::<ListParameters>("/action/list_parameters").unwrap();
        let listed = call(&pair, &list, ListParametersRequest::default()).result.names.clone();
        assert_eq!(listed, ["device", "rate", "use_sim_time"]);

        let describe =
            a.create_client::<DescribeParameters>("/action/describe_parameters").unwrap();
        let described =
            call(&pair, &describe, DescribeParametersRequest { names }).descriptors.clone();
        assert_eq!(described[0].floating_point_range[0].to_value, 100.0);
        assert!(described[1].read_only && described[2].r#type == 0);

        let parameter = |name: &str, value: ParameterValue| Parameter { name: name.into(), value };
        let double =
            |value| ParameterValue { r#type: 3, double_value: value, ..ParameterValue::default() };
        let text = |value: &str| ParameterValue {
            r#type: 4,
            string_value: value.into(),
            ..ParameterValue::default()
        };
        pair.spin_until("the connection for events", || events.publisher_count() > 0);
        while events.take().is_some() {}
        let set = a.create_client::<SetParameters>("/action/set_parameters").unwrap();
        let request = vec![parameter("rate", double(20.0)), parameter("device", text("cuda"))];
        let results =
            call(&pair, &set, SetParametersRequest { parameters: request }).results.clone();
        assert_eq!((results[0].successful, results[1].successful), (true, false));
        assert!(results[1].reason.contains("read-only"), "{}", results[1].reason);
        pair.spin_until("the event", || {
            events.take().is_some_and(|event| {
                event.node == "/action"
                    && event.changed_parameters.iter().any(|p| p.value.double_value == 20.0)
            })
        });

        let atomically = a
            .create_client::<SetParametersAtomically>("/action/set_parameters_atomically")
            .unwrap();
        let request = vec![parameter("rate", double(30.0)), parameter("rate", double(1000.0))];
        let result =
            call(&pair, &atomically, SetParametersAtomicallyRequest { parameters: request })
                .result
                .clone();
        assert!(!result.successful && result.reason.contains("1.0 to 100.0"), "{}", result.reason);
        assert_eq!(parameters.get::<f64>("rate"), Ok(20.0));
    }
}
