// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `lifecycle_msgs`.

/// Messages of `lifecycle_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `lifecycle_msgs/msg/State`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct State {
        /// `uint8`
        pub id: u8,
        /// `string`
        pub label: std::string::String,
    }

    impl State {
        /// `PRIMARY_STATE_UNKNOWN = 0`
        pub const PRIMARY_STATE_UNKNOWN: u8 = 0;
        /// `PRIMARY_STATE_UNCONFIGURED = 1`
        pub const PRIMARY_STATE_UNCONFIGURED: u8 = 1;
        /// `PRIMARY_STATE_INACTIVE = 2`
        pub const PRIMARY_STATE_INACTIVE: u8 = 2;
        /// `PRIMARY_STATE_ACTIVE = 3`
        pub const PRIMARY_STATE_ACTIVE: u8 = 3;
        /// `PRIMARY_STATE_FINALIZED = 4`
        pub const PRIMARY_STATE_FINALIZED: u8 = 4;
        /// `TRANSITION_STATE_CONFIGURING = 10`
        pub const TRANSITION_STATE_CONFIGURING: u8 = 10;
        /// `TRANSITION_STATE_CLEANINGUP = 11`
        pub const TRANSITION_STATE_CLEANINGUP: u8 = 11;
        /// `TRANSITION_STATE_SHUTTINGDOWN = 12`
        pub const TRANSITION_STATE_SHUTTINGDOWN: u8 = 12;
        /// `TRANSITION_STATE_ACTIVATING = 13`
        pub const TRANSITION_STATE_ACTIVATING: u8 = 13;
        /// `TRANSITION_STATE_DEACTIVATING = 14`
        pub const TRANSITION_STATE_DEACTIVATING: u8 = 14;
        /// `TRANSITION_STATE_ERRORPROCESSING = 15`
        pub const TRANSITION_STATE_ERRORPROCESSING: u8 = 15;
    }

    impl crate::Message for State {
        const TYPE_NAME: &'static str = "lifecycle_msgs/msg/State";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::msg::dds_::State_";
        const TYPE_HASH: &'static str =
            "RIHS01_dd2d02b82f3ebc858e53c431b1e6e91f3ffc71436fc81d0715214ac6ee2107a0";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }

    /// `lifecycle_msgs/msg/Transition`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct Transition {
        /// `uint8`
        pub id: u8,
        /// `string`
        pub label: std::string::String,
    }

    impl Transition {
        /// `TRANSITION_CREATE = 0`
        pub const TRANSITION_CREATE: u8 = 0;
        /// `TRANSITION_CONFIGURE = 1`
        pub const TRANSITION_CONFIGURE: u8 = 1;
        /// `TRANSITION_CLEANUP = 2`
        pub const TRANSITION_CLEANUP: u8 = 2;
        /// `TRANSITION_ACTIVATE = 3`
        pub const TRANSITION_ACTIVATE: u8 = 3;
        /// `TRANSITION_DEACTIVATE = 4`
        pub const TRANSITION_DEACTIVATE: u8 = 4;
        /// `TRANSITION_UNCONFIGURED_SHUTDOWN = 5`
        pub const TRANSITION_UNCONFIGURED_SHUTDOWN: u8 = 5;
        /// `TRANSITION_INACTIVE_SHUTDOWN = 6`
        pub const TRANSITION_INACTIVE_SHUTDOWN: u8 = 6;
        /// `TRANSITION_ACTIVE_SHUTDOWN = 7`
        pub const TRANSITION_ACTIVE_SHUTDOWN: u8 = 7;
        /// `TRANSITION_DESTROY = 8`
        pub const TRANSITION_DESTROY: u8 = 8;
        /// `TRANSITION_ON_CONFIGURE_SUCCESS = 10`
        pub const TRANSITION_ON_CONFIGURE_SUCCESS: u8 = 10;
        /// `TRANSITION_ON_CONFIGURE_FAILURE = 11`
        pub const TRANSITION_ON_CONFIGURE_FAILURE: u8 = 11;
        /// `TRANSITION_ON_CONFIGURE_ERROR = 12`
        pub const TRANSITION_ON_CONFIGURE_ERROR: u8 = 12;
        /// `TRANSITION_ON_CLEANUP_SUCCESS = 20`
        pub const TRANSITION_ON_CLEANUP_SUCCESS: u8 = 20;
        /// `TRANSITION_ON_CLEANUP_FAILURE = 21`
        pub const TRANSITION_ON_CLEANUP_FAILURE: u8 = 21;
        /// `TRANSITION_ON_CLEANUP_ERROR = 22`
        pub const TRANSITION_ON_CLEANUP_ERROR: u8 = 22;
        /// `TRANSITION_ON_ACTIVATE_SUCCESS = 30`
        pub const TRANSITION_ON_ACTIVATE_SUCCESS: u8 = 30;
        /// `TRANSITION_ON_ACTIVATE_FAILURE = 31`
        pub const TRANSITION_ON_ACTIVATE_FAILURE: u8 = 31;
        /// `TRANSITION_ON_ACTIVATE_ERROR = 32`
        pub const TRANSITION_ON_ACTIVATE_ERROR: u8 = 32;
        /// `TRANSITION_ON_DEACTIVATE_SUCCESS = 40`
        pub const TRANSITION_ON_DEACTIVATE_SUCCESS: u8 = 40;
        /// `TRANSITION_ON_DEACTIVATE_FAILURE = 41`
        pub const TRANSITION_ON_DEACTIVATE_FAILURE: u8 = 41;
        /// `TRANSITION_ON_DEACTIVATE_ERROR = 42`
        pub const TRANSITION_ON_DEACTIVATE_ERROR: u8 = 42;
        /// `TRANSITION_ON_SHUTDOWN_SUCCESS = 50`
        pub const TRANSITION_ON_SHUTDOWN_SUCCESS: u8 = 50;
        /// `TRANSITION_ON_SHUTDOWN_FAILURE = 51`
        pub const TRANSITION_ON_SHUTDOWN_FAILURE: u8 = 51;
        /// `TRANSITION_ON_SHUTDOWN_ERROR = 52`
        pub const TRANSITION_ON_SHUTDOWN_ERROR: u8 = 52;
        /// `TRANSITION_ON_ERROR_SUCCESS = 60`
        pub const TRANSITION_ON_ERROR_SUCCESS: u8 = 60;
        /// `TRANSITION_ON_ERROR_FAILURE = 61`
        pub const TRANSITION_ON_ERROR_FAILURE: u8 = 61;
        /// `TRANSITION_ON_ERROR_ERROR = 62`
        pub const TRANSITION_ON_ERROR_ERROR: u8 = 62;
        /// `TRANSITION_CALLBACK_SUCCESS = 97`
        pub const TRANSITION_CALLBACK_SUCCESS: u8 = 97;
        /// `TRANSITION_CALLBACK_FAILURE = 98`
        pub const TRANSITION_CALLBACK_FAILURE: u8 = 98;
        /// `TRANSITION_CALLBACK_ERROR = 99`
        pub const TRANSITION_CALLBACK_ERROR: u8 = 99;
    }

    impl crate::Message for Transition {
        const TYPE_NAME: &'static str = "lifecycle_msgs/msg/Transition";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::msg::dds_::Transition_";
        const TYPE_HASH: &'static str =
            "RIHS01_c65d7b31ea134cba4f54fc867b817979be799f7452035cd35fac9b7421fb3424";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/Transition.msg")),
        );
    }

    /// `lifecycle_msgs/msg/TransitionDescription`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TransitionDescription {
        /// `lifecycle_msgs/msg/Transition`
        pub transition: crate::lifecycle_msgs::msg::Transition,
        /// `lifecycle_msgs/msg/State`
        pub start_state: crate::lifecycle_msgs::msg::State,
        /// `lifecycle_msgs/msg/State`
        pub goal_state: crate::lifecycle_msgs::msg::State,
    }

    impl crate::Message for TransitionDescription {
        const TYPE_NAME: &'static str = "lifecycle_msgs/msg/TransitionDescription";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::msg::dds_::TransitionDescription_";
        const TYPE_HASH: &'static str =
            "RIHS01_c5f1cd4bb1ad2ba0e3329d4ac7015c52a674a72c1faf7974c37a33f4f6048b28";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/TransitionDescription.msg")),
            "================================================================================\nMSG: lifecycle_msgs/Transition\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/Transition.msg")),
            "================================================================================\nMSG: lifecycle_msgs/State\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }

    /// `lifecycle_msgs/msg/TransitionEvent`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct TransitionEvent {
        /// `uint64`
        pub timestamp: u64,
        /// `lifecycle_msgs/msg/Transition`
        pub transition: crate::lifecycle_msgs::msg::Transition,
        /// `lifecycle_msgs/msg/State`
        pub start_state: crate::lifecycle_msgs::msg::State,
        /// `lifecycle_msgs/msg/State`
        pub goal_state: crate::lifecycle_msgs::msg::State,
    }

    impl crate::Message for TransitionEvent {
        const TYPE_NAME: &'static str = "lifecycle_msgs/msg/TransitionEvent";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::msg::dds_::TransitionEvent_";
        const TYPE_HASH: &'static str =
            "RIHS01_d5f8873a2f0146498f812d7885c7327ce27e463d36811d8792f35ee38c0d6c38";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/TransitionEvent.msg")),
            "================================================================================\nMSG: lifecycle_msgs/Transition\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/Transition.msg")),
            "================================================================================\nMSG: lifecycle_msgs/State\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }
}

/// Services of `lifecycle_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `lifecycle_msgs/srv/ChangeState_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ChangeStateRequest {
        /// `lifecycle_msgs/msg/Transition`
        pub transition: crate::lifecycle_msgs::msg::Transition,
    }

    impl crate::Message for ChangeStateRequest {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/ChangeState_Request";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::ChangeState_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_d74c6f524e14cade7b67e7297190360ed749264af300524fc1456f27cc2a553a";
        const DEFINITION: &'static str = concat!(
            "Transition transition\n",
            "================================================================================\nMSG: lifecycle_msgs/Transition\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/Transition.msg")),
        );
    }

    /// `lifecycle_msgs/srv/ChangeState_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct ChangeStateResponse {
        /// `bool`
        pub success: bool,
    }

    impl crate::Message for ChangeStateResponse {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/ChangeState_Response";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::ChangeState_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_e1ddfed0271fefe63767aa71561926e4d9eac0f1ddf9e71a8873eb46b36deac2";
        const DEFINITION: &'static str = concat!(
            "bool success\n",
        );
    }

    /// Service `lifecycle_msgs/srv/ChangeState`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ChangeState;

    impl crate::Service for ChangeState {
        type Request = ChangeStateRequest;
        type Response = ChangeStateResponse;
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/ChangeState";
        const TYPE_HASH: &'static str =
            "RIHS01_356fe34f0475a43acf54542013af4167b0e729f77ea22ffb045c6ad8e20668e5";
    }

    /// `lifecycle_msgs/srv/GetAvailableStates_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GetAvailableStatesRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for GetAvailableStatesRequest {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableStates_Request";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetAvailableStates_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_c2c0c12de6023822f284929577d4ca2862e0501150010966e8a90b632e4424de";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `lifecycle_msgs/srv/GetAvailableStates_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetAvailableStatesResponse {
        /// `lifecycle_msgs/msg/State[]`
        pub available_states: Vec<crate::lifecycle_msgs::msg::State>,
    }

    impl crate::Message for GetAvailableStatesResponse {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableStates_Response";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetAvailableStates_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_223e0dd5bb8a847ebb9532adaf8b5e2a97e6e68e79faeaabd81a45fb32925bd1";
        const DEFINITION: &'static str = concat!(
            "State[] available_states\n",
            "================================================================================\nMSG: lifecycle_msgs/State\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }

    /// Service `lifecycle_msgs/srv/GetAvailableStates`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetAvailableStates;

    impl crate::Service for GetAvailableStates {
        type Request = GetAvailableStatesRequest;
        type Response = GetAvailableStatesResponse;
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableStates";
        const TYPE_HASH: &'static str =
            "RIHS01_00a07d79d2207d71e81a8cbc1880e5d924cc16d4688ea8e8e06e443dc8f8aa1d";
    }

    /// `lifecycle_msgs/srv/GetAvailableTransitions_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GetAvailableTransitionsRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for GetAvailableTransitionsRequest {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableTransitions_Request";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetAvailableTransitions_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_52a73c0b5d7489bee0df6ddb0aec45c41289d223ff225b58fe11d859ac8109a6";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `lifecycle_msgs/srv/GetAvailableTransitions_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetAvailableTransitionsResponse {
        /// `lifecycle_msgs/msg/TransitionDescription[]`
        pub available_transitions: Vec<crate::lifecycle_msgs::msg::TransitionDescription>,
    }

    impl crate::Message for GetAvailableTransitionsResponse {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableTransitions_Response";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetAvailableTransitions_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_4711339461aadf02bcfff797a198de911f885074bd3f2fe9f7b677ef87f0741c";
        const DEFINITION: &'static str = concat!(
            "TransitionDescription[] available_transitions\n",
            "================================================================================\nMSG: lifecycle_msgs/TransitionDescription\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/TransitionDescription.msg")),
            "================================================================================\nMSG: lifecycle_msgs/Transition\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/Transition.msg")),
            "================================================================================\nMSG: lifecycle_msgs/State\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }

    /// Service `lifecycle_msgs/srv/GetAvailableTransitions`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetAvailableTransitions;

    impl crate::Service for GetAvailableTransitions {
        type Request = GetAvailableTransitionsRequest;
        type Response = GetAvailableTransitionsResponse;
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableTransitions";
        const TYPE_HASH: &'static str =
            "RIHS01_59b7ecefce0982a8a844b9f2c4f14764c1c4543cc55e72924e2aa4adad83e9bc";
    }

    /// `lifecycle_msgs/srv/GetState_Request`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy, Eq, Hash)]
    pub struct GetStateRequest {
        /// Not in the file: it stands on the wire because IDL has no empty structure.
        ///
        /// `uint8`
        pub structure_needs_at_least_one_member: u8,
    }

    impl crate::Message for GetStateRequest {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetState_Request";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetState_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_77a9c844e7975f15bc2221e8bbebafc4d118afb78c7f7071eef91f83f940f2f6";
        const DEFINITION: &'static str = concat!(
            "",
        );
    }

    /// `lifecycle_msgs/srv/GetState_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GetStateResponse {
        /// `lifecycle_msgs/msg/State`
        pub current_state: crate::lifecycle_msgs::msg::State,
    }

    impl crate::Message for GetStateResponse {
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetState_Response";
        const DDS_TYPE_NAME: &'static str = "lifecycle_msgs::srv::dds_::GetState_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_fe249babab472e42cb5653b5d6a6b0c42a003b0fdfb84851aea3fde08760b4f5";
        const DEFINITION: &'static str = concat!(
            "State current_state\n",
            "================================================================================\nMSG: lifecycle_msgs/State\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/lifecycle_msgs/msg/State.msg")),
        );
    }

    /// Service `lifecycle_msgs/srv/GetState`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GetState;

    impl crate::Service for GetState {
        type Request = GetStateRequest;
        type Response = GetStateResponse;
        const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetState";
        const TYPE_HASH: &'static str =
            "RIHS01_800a0a5aae599782b02932de0caf563f6dc4e7e94b794eadde075ba2cbef9795";
    }
}
