//! The six parameter services of a node.

use f1_interfaces::rcl_interfaces::msg::{
    ListParametersResult, Parameter as Wire, SetParametersResult,
};
use f1_interfaces::rcl_interfaces::srv::{
    DescribeParameters, DescribeParametersResponse, GetParameterTypes, GetParameterTypesResponse,
    GetParameters, GetParametersResponse, ListParameters, ListParametersResponse, SetParameters,
    SetParametersAtomically, SetParametersAtomicallyResponse, SetParametersResponse,
};

use crate::error::Result;
use crate::node::Node;
use crate::parameters::{ParameterError, Value};
use crate::service::ServiceServer;

/// The services; dropping this withdraws them.
pub(crate) struct ParameterServices {
    _describe: ServiceServer<DescribeParameters>,
    _types: ServiceServer<GetParameterTypes>,
    _get: ServiceServer<GetParameters>,
    _list: ServiceServer<ListParameters>,
    _set: ServiceServer<SetParameters>,
    _set_atomically: ServiceServer<SetParametersAtomically>,
}

fn outcome(result: std::result::Result<(), ParameterError>) -> SetParametersResult {
    match result {
        Ok(()) => SetParametersResult { successful: true, ..SetParametersResult::default() },
        Err(error) => SetParametersResult { successful: false, reason: error.to_string() },
    }
}

fn given(parameter: &Wire) -> (String, Value) {
    (parameter.name.clone(), Value::from_message(&parameter.value))
}

impl ParameterServices {
    pub(crate) fn offer(node: &Node) -> Result<ParameterServices> {
        let own = || node.parameters().clone();
        Ok(ParameterServices {
            _describe: {
                let parameters = own();
                node.create_service::<DescribeParameters>(
                    "~/describe_parameters",
                    move |request| DescribeParametersResponse {
                        descriptors: request
                            .names
                            .iter()
                            .map(|name| parameters.describe(name))
                            .collect(),
                    },
                )?
            },
            _types: {
                let parameters = own();
                node.create_service::<GetParameterTypes>("~/get_parameter_types", move |request| {
                    GetParameterTypesResponse {
                        types: request
                            .names
                            .iter()
                            .map(|name| {
                                parameters.value(name).map_or(0, |value| value.kind() as u8)
                            })
                            .collect(),
                    }
                })?
            },
            _get: {
                let parameters = own();
                node.create_service::<GetParameters>("~/get_parameters", move |request| {
                    GetParametersResponse {
                        values: request
                            .names
                            .iter()
                            .map(|name| {
                                parameters.value(name).unwrap_or(Value::NotSet).to_message()
                            })
                            .collect(),
                    }
                })?
            },
            _list: {
                let parameters = own();
                node.create_service::<ListParameters>("~/list_parameters", move |request| {
                    let (names, prefixes) = parameters.list(&request.prefixes, request.depth);
                    ListParametersResponse { result: ListParametersResult { names, prefixes } }
                })?
            },
            _set: {
                let parameters = own();
                node.create_service::<SetParameters>("~/set_parameters", move |request| {
                    SetParametersResponse {
                        results: request
                            .parameters
                            .iter()
                            .map(|parameter| outcome(parameters.set_all(vec![given(parameter)])))
                            .collect(),
                    }
                })?
            },
            _set_atomically: {
                let parameters = own();
                node.create_service::<SetParametersAtomically>(
                    "~/set_parameters_atomically",
                    move |request| SetParametersAtomicallyResponse {
                        result: outcome(
                            parameters.set_all(request.parameters.iter().map(given).collect()),
                        ),
                    },
                )?
            },
        })
    }
}
