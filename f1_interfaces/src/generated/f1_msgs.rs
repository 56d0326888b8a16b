// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.
//! Package `f1_msgs`.

/// Messages of `f1_msgs`.
pub mod msg {
    use serde::{Deserialize, Serialize};

    /// `f1_msgs/msg/ActionChunk`
    ///
    /// One chunk of actions as the policy asked for it, before the safety filter.
    /// SI units: radians for revolute joints and metres for prismatic ones, in the order of joint\_names.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ActionChunk {
        /// stamp: ROS time of the observation that the chunk answers (its newest understanding camera frame); row 0 is due then.
        /// frame\_id: the robot's base frame.
        ///
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// Number of the chunk within its epoch, from 0.
        ///
        /// `uint64`
        pub sequence: u64,
        /// Grows by one whenever the policy's memory restarts (new instruction, reset, clock jump); chunks of an older epoch are void.
        ///
        /// `uint64`
        pub epoch: u64,
        /// Seed of every random draw of this chunk; it follows from header.stamp alone.
        ///
        /// `uint64`
        pub seed: u64,
        /// What the policy was asked to do.
        ///
        /// `string`
        pub instruction: std::string::String,
        /// Names of the robot file's cameras that were seen and the stamp of the frame taken from each, in ROS time. A masked camera is left out.
        ///
        /// `string[]`
        pub camera_names: Vec<std::string::String>,
        /// `builtin_interfaces/msg/Time[]`
        pub camera_stamps: Vec<crate::builtin_interfaces::msg::Time>,
        /// Stamps of the history frames, oldest first, in ROS time.
        ///
        /// `builtin_interfaces/msg/Time[]`
        pub history_stamps: Vec<crate::builtin_interfaces::msg::Time>,
        /// Stamp of the joint state, in ROS time.
        ///
        /// `builtin_interfaces/msg/Time`
        pub joint_state_stamp: crate::builtin_interfaces::msg::Time,
        /// Measured position of each joint of joint\_names at joint\_state\_stamp.
        ///
        /// `float64[]`
        pub measured_positions: Vec<f64>,
        /// Rows per second.
        ///
        /// `float64`
        pub rate: f64,
        /// Number of rows: the chunk's horizon.
        ///
        /// `uint32`
        pub rows: u32,
        /// Name of each column.
        ///
        /// `string[]`
        pub joint_names: Vec<std::string::String>,
        /// rows x joint\_names positions, row by row.
        ///
        /// `float64[]`
        pub positions: Vec<f64>,
        /// The network's own output before decoding, rows x normalised\_columns, row by row, without unit.
        ///
        /// `uint32`
        pub normalised_columns: u32,
        /// `float32[]`
        pub normalised: Vec<f32>,
        /// `uint8`
        pub splice: u8,
        /// Leading rows that were held fixed because they would be executed anyway (rtc).
        ///
        /// `uint32`
        pub frozen_rows: u32,
        /// Mean probability that the network gave to the foresight tokens that it chose, 0 to 1.
        ///
        /// `float32`
        pub foresight_confidence: f32,
        /// The moment that the foresight image shows, in ROS time; zero without foresight.
        ///
        /// `builtin_interfaces/msg/Time`
        pub foresight_stamp: crate::builtin_interfaces::msg::Time,
        /// Time from the last message of the observation to this chunk, on the steady clock.
        ///
        /// `builtin_interfaces/msg/Duration`
        pub latency: crate::builtin_interfaces::msg::Duration,
    }

    impl ActionChunk {
        /// How this chunk is joined to the one before it.
        pub const SPLICE_REPLACE: u8 = 0;
        /// `SPLICE_ENSEMBLE = 1`
        pub const SPLICE_ENSEMBLE: u8 = 1;
        /// `SPLICE_RTC = 2`
        pub const SPLICE_RTC: u8 = 2;
    }

    impl crate::Message for ActionChunk {
        const TYPE_NAME: &'static str = "f1_msgs/msg/ActionChunk";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::msg::dds_::ActionChunk_";
        const TYPE_HASH: &'static str =
            "RIHS01_64f626b714b01d03e43ed35d0fbc70569310086d1c127700f2e80644e26e410d";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../f1_msgs/msg/ActionChunk.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `f1_msgs/msg/ForesightError`
    ///
    /// The foreseen image against the one that came.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct ForesightError {
        /// stamp: ROS time of the frame that came. frame\_id: the camera's optical frame.
        ///
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// Name of the camera in the robot file.
        ///
        /// `string`
        pub camera: std::string::String,
        /// Stamp of the observation from which the image was foreseen, in ROS time.
        ///
        /// `builtin_interfaces/msg/Time`
        pub observation_stamp: crate::builtin_interfaces::msg::Time,
        /// The moment that was foreseen, in ROS time; header.stamp is the nearest frame to it.
        ///
        /// `builtin_interfaces/msg/Time`
        pub foreseen_stamp: crate::builtin_interfaces::msg::Time,
        /// Number and epoch of the chunk that belongs to the foresight.
        ///
        /// `uint64`
        pub sequence: u64,
        /// `uint64`
        pub epoch: u64,
        /// Peak signal-to-noise ratio in dB over RGB at 255; larger is better. Infinite when the images are equal.
        ///
        /// `float64`
        pub psnr: f64,
        /// Mean absolute difference of the pixel values, 0 to 1.
        ///
        /// `float64`
        pub mean_absolute_error: f64,
        /// Share of the tokens of the finest scale that agree, 0 to 1.
        ///
        /// `float64`
        pub token_agreement: f64,
        /// Mean probability of the chosen tokens when it was foreseen, 0 to 1.
        ///
        /// `float64`
        pub confidence: f64,
        /// Peak signal-to-noise ratio in dB of "nothing changes": the observation's frame against the one that came.
        ///
        /// `float64`
        pub psnr_if_still: f64,
        /// The same two over the pixels that changed: a channel of the observation's frame differs from the one that came by more
        /// than 16 of 255. NaN when none did.
        ///
        /// `float64`
        pub psnr_changed: f64,
        /// `float64`
        pub psnr_changed_if_still: f64,
        /// Structural similarity of the two, at most 1; NaN for images smaller than its window of 11 pixels.
        ///
        /// `float64`
        pub ssim: f64,
        /// `float64`
        pub ssim_if_still: f64,
        /// Peak signal-to-noise ratio in dB over the worst of all squares with an eighth of the image's side: an object that is
        /// not where or as it was foreseen shows here first.
        ///
        /// `float64`
        pub psnr_worst: f64,
    }

    impl crate::Message for ForesightError {
        const TYPE_NAME: &'static str = "f1_msgs/msg/ForesightError";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::msg::dds_::ForesightError_";
        const TYPE_HASH: &'static str =
            "RIHS01_8acf797b079c980897dfb953d3d5d16bcce09ab4bfe36b28cf7ed38c787c41ce";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../f1_msgs/msg/ForesightError.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `f1_msgs/msg/PolicyStatus`
    ///
    /// What the policy is doing and why.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct PolicyStatus {
        /// stamp: ROS time. frame\_id: empty.
        ///
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// `uint8`
        pub state: u8,
        /// Why it is in this state, in a sentence; empty while it runs.
        ///
        /// `string`
        pub reason: std::string::String,
        /// `string`
        pub robot: std::string::String,
        /// `string`
        pub model: std::string::String,
        /// `string`
        pub instruction: std::string::String,
        /// Number of the epoch and of chunks in it.
        ///
        /// `uint64`
        pub epoch: u64,
        /// `uint64`
        pub chunks: u64,
        /// Rates over the last second, in Hz: complete observations, chunks, trajectories sent.
        ///
        /// `float64`
        pub observation_rate: f64,
        /// `float64`
        pub chunk_rate: f64,
        /// `float64`
        pub trajectory_rate: f64,
        /// Times of the last chunk's stages, in seconds.
        ///
        /// `float64`
        pub decode_time: f64,
        /// `float64`
        pub resize_time: f64,
        /// `float64`
        pub history_time: f64,
        /// `float64`
        pub image_encoder_time: f64,
        /// `float64`
        pub foresight_time: f64,
        /// `float64`
        pub action_time: f64,
        /// Of a request to a policy server: what is not the server's own time, and the server's own time.
        ///
        /// `float64`
        pub network_time: f64,
        /// `float64`
        pub server_time: f64,
        /// `float64`
        pub filter_time: f64,
        /// From the last message of the observation to the published trajectory, in seconds.
        ///
        /// `float64`
        pub latency: f64,
        /// Age of the newest complete observation and of the newest joint state, in seconds; infinite before the first.
        ///
        /// `float64`
        pub observation_age: f64,
        /// `float64`
        pub joint_state_age: f64,
        /// The last foresight error: PSNR in dB and share of tokens that agree, 0 to 1; NaN before the first.
        ///
        /// `float64`
        pub foresight_psnr: f64,
        /// `float64`
        pub foresight_token_agreement: f64,
        /// Beside it, as in ForesightError: the observation's frame in the foreseen one's place, the pixels that changed, SSIM, the
        /// worst square; NaN before the first.
        ///
        /// `float64`
        pub foresight_psnr_if_still: f64,
        /// `float64`
        pub foresight_psnr_changed: f64,
        /// `float64`
        pub foresight_psnr_changed_if_still: f64,
        /// `float64`
        pub foresight_ssim: f64,
        /// `float64`
        pub foresight_ssim_if_still: f64,
        /// `float64`
        pub foresight_psnr_worst: f64,
        /// Counts since activation.
        ///
        /// `uint64`
        pub dropped_frames: u64,
        /// `uint64`
        pub overtaken_observations: u64,
        /// `uint64`
        pub interventions: u64,
        /// Locks that are closed or silent.
        ///
        /// `string[]`
        pub locks: Vec<std::string::String>,
        /// Whose distances nothing checks, a sentence each: links without a collision shape, pairs that are too near as built.
        ///
        /// `string[]`
        pub unchecked: Vec<std::string::String>,
    }

    impl PolicyStatus {
        /// No model is loaded.
        pub const STATE_UNCONFIGURED: u8 = 0;
        /// Loaded, silent.
        pub const STATE_INACTIVE: u8 = 1;
        /// Active, but something that it needs is missing: reason says what.
        pub const STATE_WAITING: u8 = 2;
        /// Sending motion.
        pub const STATE_RUNNING: u8 = 3;
        /// Decelerating to rest, or at rest because of a watchdog or a lock; resumes by itself.
        pub const STATE_HOLDING: u8 = 4;
        /// Stopped and latched: safety\_filter/reset releases it.
        pub const STATE_STOPPED: u8 = 5;
        /// A node failed.
        pub const STATE_FAULT: u8 = 6;
    }

    impl crate::Message for PolicyStatus {
        const TYPE_NAME: &'static str = "f1_msgs/msg/PolicyStatus";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::msg::dds_::PolicyStatus_";
        const TYPE_HASH: &'static str =
            "RIHS01_54b0ad3f8ec9995f4b4cbaa62fe47b003a272f9c186e45539053d7a55ee810d3";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../f1_msgs/msg/PolicyStatus.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }

    /// `f1_msgs/msg/SafetyEvent`
    ///
    /// A decision of the safety filter, with the number that caused it.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
    pub struct SafetyEvent {
        /// stamp: ROS time of the decision. frame\_id: empty.
        ///
        /// `std_msgs/msg/Header`
        pub header: crate::std_msgs::msg::Header,
        /// Number of the event since configuration.
        ///
        /// `uint64`
        pub sequence: u64,
        /// The chunk that it concerns, when chunk\_known.
        ///
        /// `bool`
        pub chunk_known: bool,
        /// `uint64`
        pub chunk_sequence: u64,
        /// `uint64`
        pub chunk_epoch: u64,
        /// The check that spoke: the filter's name of it, e.g. velocity, workspace, observation\_age, lock.
        ///
        /// `string`
        pub rule: std::string::String,
        /// Joint, link, controller or lock that it concerns; empty when it is the whole robot.
        ///
        /// `string`
        pub subject: std::string::String,
        /// Row of the chunk, from 0; -1 when it is no single row.
        ///
        /// `int32`
        pub row: i32,
        /// What was asked or measured, and the limit that it broke, both in the SI unit named here (rad, rad/s, m, s, ...).
        ///
        /// `float64`
        pub value: f64,
        /// `float64`
        pub limit: f64,
        /// `string`
        pub unit: std::string::String,
        /// `uint8`
        pub action: u8,
        /// The same in a sentence.
        ///
        /// `string`
        pub message: std::string::String,
    }

    impl SafetyEvent {
        /// What was done.
        pub const ACTION_NOTED: u8 = 0;
        /// `ACTION_CLAMPED = 1`
        pub const ACTION_CLAMPED: u8 = 1;
        /// `ACTION_SCALED = 2`
        pub const ACTION_SCALED: u8 = 2;
        /// `ACTION_REJECTED = 3`
        pub const ACTION_REJECTED: u8 = 3;
        /// `ACTION_STOPPED = 4`
        pub const ACTION_STOPPED: u8 = 4;
        /// `ACTION_LATCHED = 5`
        pub const ACTION_LATCHED: u8 = 5;
        /// `ACTION_RELEASED = 6`
        pub const ACTION_RELEASED: u8 = 6;
    }

    impl crate::Message for SafetyEvent {
        const TYPE_NAME: &'static str = "f1_msgs/msg/SafetyEvent";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::msg::dds_::SafetyEvent_";
        const TYPE_HASH: &'static str =
            "RIHS01_f64b148aaa9d9fa533e53b40e6a69a55c0f30b79b80a9c055b45e38737173877";
        const DEFINITION: &'static str = concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../f1_msgs/msg/SafetyEvent.msg")),
            "================================================================================\nMSG: std_msgs/Header\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/std_msgs/msg/Header.msg")),
            "================================================================================\nMSG: builtin_interfaces/Time\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Time.msg")),
        );
    }
}

/// Services of `f1_msgs`.
pub mod srv {
    use serde::{Deserialize, Serialize};

    /// `f1_msgs/srv/SetInstruction_Request`
    ///
    /// Tells the policy what to do. An empty instruction brings it to rest.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetInstructionRequest {
        /// In plain language, as in the data that the policy was trained on.
        ///
        /// `string`
        pub instruction: std::string::String,
    }

    impl crate::Message for SetInstructionRequest {
        const TYPE_NAME: &'static str = "f1_msgs/srv/SetInstruction_Request";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::srv::dds_::SetInstruction_Request_";
        const TYPE_HASH: &'static str =
            "RIHS01_5e4e82b61d6d124d4ad3901461141275c8931b3b4f37fd5d7f814c34601bbdc9";
        const DEFINITION: &'static str = concat!(
            "# Tells the policy what to do. An empty instruction brings it to rest.\n\n# In plain language, as in the data that the policy was trained on.\nstring instruction\n",
        );
    }

    /// `f1_msgs/srv/SetInstruction_Response`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct SetInstructionResponse {
        /// `bool`
        pub success: bool,
        /// Why it was refused.
        ///
        /// `string`
        pub message: std::string::String,
    }

    impl crate::Message for SetInstructionResponse {
        const TYPE_NAME: &'static str = "f1_msgs/srv/SetInstruction_Response";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::srv::dds_::SetInstruction_Response_";
        const TYPE_HASH: &'static str =
            "RIHS01_ea4fd5578a8560040bf91d5f2362b6782d3eb2368b8d24b1cf1b5b96420caeac";
        const DEFINITION: &'static str = concat!(
            "bool success\n# Why it was refused.\nstring message\n",
        );
    }

    /// Service `f1_msgs/srv/SetInstruction`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SetInstruction;

    impl crate::Service for SetInstruction {
        type Request = SetInstructionRequest;
        type Response = SetInstructionResponse;
        const TYPE_NAME: &'static str = "f1_msgs/srv/SetInstruction";
        const TYPE_HASH: &'static str =
            "RIHS01_7eb00b5b0bce8e7906bc6837cd6dc4699f7ba29cad5327b39cf3cffc912ee1ca";
    }
}

/// Actions of `f1_msgs`.
pub mod action {
    use serde::{Deserialize, Serialize};

    /// `f1_msgs/action/ExecuteTask_Goal`
    ///
    /// Follows an instruction until the time limit, a cancellation or a stop.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ExecuteTaskGoal {
        /// In plain language, as in the data that the policy was trained on.
        ///
        /// `string`
        pub instruction: std::string::String,
        /// Zero: no limit.
        ///
        /// `builtin_interfaces/msg/Duration`
        pub time_limit: crate::builtin_interfaces::msg::Duration,
        /// First move to the robot file's home, as the action safety\_filter/go\_home does; the time limit
        /// counts from there.
        ///
        /// `bool`
        pub home_first: bool,
    }

    impl crate::Message for ExecuteTaskGoal {
        const TYPE_NAME: &'static str = "f1_msgs/action/ExecuteTask_Goal";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::ExecuteTask_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_0b2bf4044dc59f4ab560fba6bd7a598c230a78a7b9c21ec20532682ae9174dd3";
        const DEFINITION: &'static str = concat!(
            "# Follows an instruction until the time limit, a cancellation or a stop.\n\n# In plain language, as in the data that the policy was trained on.\nstring instruction\n# Zero: no limit.\nbuiltin_interfaces/Duration time_limit\n# First move to the robot file's home, as the action safety_filter/go_home does; the time limit\n# counts from there.\nbool home_first\n",
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `f1_msgs/action/ExecuteTask_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct ExecuteTaskResult {
        /// `uint8`
        pub outcome: u8,
        /// The same in a sentence.
        ///
        /// `string`
        pub message: std::string::String,
        /// On the steady clock.
        ///
        /// `builtin_interfaces/msg/Duration`
        pub elapsed: crate::builtin_interfaces::msg::Duration,
        /// `uint64`
        pub chunk_count: u64,
    }

    impl ExecuteTaskResult {
        /// The time limit was reached with the robot in motion under the policy.
        pub const OUTCOME_TIME_LIMIT: u8 = 0;
        /// A client cancelled.
        pub const OUTCOME_CANCELLED: u8 = 1;
        /// A newer goal or instruction took its place.
        pub const OUTCOME_REPLACED: u8 = 2;
        /// The safety filter stopped and latched, or a node failed.
        pub const OUTCOME_STOPPED: u8 = 3;
    }

    impl crate::Message for ExecuteTaskResult {
        const TYPE_NAME: &'static str = "f1_msgs/action/ExecuteTask_Result";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::ExecuteTask_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_31aea47c303d4fd36c640a841f38163a84eb19c0de8a9480fb1452c89f9a08d8";
        const DEFINITION: &'static str = concat!(
            "# The time limit was reached with the robot in motion under the policy.\nuint8 OUTCOME_TIME_LIMIT=0\n# A client cancelled.\nuint8 OUTCOME_CANCELLED=1\n# A newer goal or instruction took its place.\nuint8 OUTCOME_REPLACED=2\n# The safety filter stopped and latched, or a node failed.\nuint8 OUTCOME_STOPPED=3\nuint8 outcome\n# The same in a sentence.\nstring message\n# On the steady clock.\nbuiltin_interfaces/Duration elapsed\nuint64 chunk_count\n",
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// `f1_msgs/action/ExecuteTask_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct ExecuteTaskFeedback {
        /// On the steady clock.
        ///
        /// `builtin_interfaces/msg/Duration`
        pub elapsed: crate::builtin_interfaces::msg::Duration,
        /// `uint64`
        pub chunk_count: u64,
        /// The last foresight error: PSNR in dB and share of tokens that agree, 0 to 1; NaN before the first.
        ///
        /// `float64`
        pub foresight_psnr: f64,
        /// `float64`
        pub foresight_token_agreement: f64,
    }

    impl crate::Message for ExecuteTaskFeedback {
        const TYPE_NAME: &'static str = "f1_msgs/action/ExecuteTask_Feedback";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::ExecuteTask_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_76a47a74429e857a62fe1af815e31016553380052d5ca8e19c59b0dbce4907e6";
        const DEFINITION: &'static str = concat!(
            "# On the steady clock.\nbuiltin_interfaces/Duration elapsed\nuint64 chunk_count\n# The last foresight error: PSNR in dB and share of tokens that agree, 0 to 1; NaN before the first.\nfloat64 foresight_psnr\nfloat64 foresight_token_agreement\n",
            "================================================================================\nMSG: builtin_interfaces/Duration\n",
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/definitions/builtin_interfaces/msg/Duration.msg")),
        );
    }

    /// Action `f1_msgs/action/ExecuteTask`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ExecuteTask;

    impl crate::Action for ExecuteTask {
        type Goal = ExecuteTaskGoal;
        type Result = ExecuteTaskResult;
        type Feedback = ExecuteTaskFeedback;
        const TYPE_NAME: &'static str = "f1_msgs/action/ExecuteTask";
        const TYPE_HASH: &'static str =
            "RIHS01_bd3e86b2e493e8ca77863b1c9491974c75b4d2cd71d18921ecbbf8740cc7f2dd";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_SendGoal",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_SendGoal_",
            type_hash: "RIHS01_0e783c9ce8c6cb41fb648c31c0e645b61725d631d8150a5970667170f1ca9eda",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_SendGoal_Request",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_SendGoal_Request_",
            type_hash: "RIHS01_51ad76d980da9c1ae842333fcbd904b2c0cf396a4283c674f6acb9a96486c500",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_SendGoal_Response",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_SendGoal_Response_",
            type_hash: "RIHS01_dfa03ae07b06720602241b5bb9bfb57465b965b5169d516d27d889fcdee37068",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_GetResult",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_GetResult_",
            type_hash: "RIHS01_fa81bca56fec40713cbbdbda8f4b3ace354373d92318aac37f5e00693e783b49",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_GetResult_Request",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_GetResult_Request_",
            type_hash: "RIHS01_cbed7f685c3b692c3333e788d241ddd4cf1477337be45542598c6975043cbe00",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_GetResult_Response",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_GetResult_Response_",
            type_hash: "RIHS01_4fcf785900adf1889164beb37d6d15b807b556bcf45b313e4664cb50051e2375",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/ExecuteTask_FeedbackMessage",
            dds_type_name: "f1_msgs::action::dds_::ExecuteTask_FeedbackMessage_",
            type_hash: "RIHS01_7fca9690420f53536d77fcf947429ff8485f5794dc5a0701c793ab4d502caa0d",
        };
    }

    /// `f1_msgs/action/GoHome_Goal`
    ///
    /// Moves all joints straight to the home of the robot file, through the safety filter's checks.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GoHomeGoal {
        /// Part of the joints' velocity limits, up to 1; 0: the safety filter's parameter home\_speed.
        ///
        /// `float64`
        pub speed_scale: f64,
    }

    impl crate::Message for GoHomeGoal {
        const TYPE_NAME: &'static str = "f1_msgs/action/GoHome_Goal";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::GoHome_Goal_";
        const TYPE_HASH: &'static str =
            "RIHS01_d22d34d9bd07f84213528c2c76011c6af300119dbf304efb5b4cedb7929f3446";
        const DEFINITION: &'static str = concat!(
            "# Moves all joints straight to the home of the robot file, through the safety filter's checks.\n\n# Part of the joints' velocity limits, up to 1; 0: the safety filter's parameter home_speed.\nfloat64 speed_scale\n",
        );
    }

    /// `f1_msgs/action/GoHome_Result`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Eq, Hash)]
    pub struct GoHomeResult {
        /// `uint8`
        pub outcome: u8,
        /// The same in a sentence, with joint and links where the way is not allowed.
        ///
        /// `string`
        pub message: std::string::String,
    }

    impl GoHomeResult {
        /// The robot is at home.
        pub const OUTCOME_ARRIVED: u8 = 0;
        /// The straight way is not allowed, or the robot cannot move now: it has not moved.
        pub const OUTCOME_REFUSED: u8 = 1;
        /// A client cancelled: the robot has come to rest on the way.
        pub const OUTCOME_CANCELLED: u8 = 2;
        /// Something stopped the robot on the way.
        pub const OUTCOME_STOPPED: u8 = 3;
    }

    impl crate::Message for GoHomeResult {
        const TYPE_NAME: &'static str = "f1_msgs/action/GoHome_Result";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::GoHome_Result_";
        const TYPE_HASH: &'static str =
            "RIHS01_68debb49b206ba8c8d01b95161c3ab5bdfff30b108b3d798a5772d70c1dc88fb";
        const DEFINITION: &'static str = concat!(
            "# The robot is at home.\nuint8 OUTCOME_ARRIVED=0\n# The straight way is not allowed, or the robot cannot move now: it has not moved.\nuint8 OUTCOME_REFUSED=1\n# A client cancelled: the robot has come to rest on the way.\nuint8 OUTCOME_CANCELLED=2\n# Something stopped the robot on the way.\nuint8 OUTCOME_STOPPED=3\nuint8 outcome\n# The same in a sentence, with joint and links where the way is not allowed.\nstring message\n",
        );
    }

    /// `f1_msgs/action/GoHome_Feedback`
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, Copy)]
    pub struct GoHomeFeedback {
        /// The greatest distance of a joint from home, rad or m.
        ///
        /// `float64`
        pub distance: f64,
    }

    impl crate::Message for GoHomeFeedback {
        const TYPE_NAME: &'static str = "f1_msgs/action/GoHome_Feedback";
        const DDS_TYPE_NAME: &'static str = "f1_msgs::action::dds_::GoHome_Feedback_";
        const TYPE_HASH: &'static str =
            "RIHS01_1eeb74973b9075649ccad6f3a3ecebaf9a8db290ea3885a1d524d5a5104dbe38";
        const DEFINITION: &'static str = concat!(
            "# The greatest distance of a joint from home, rad or m.\nfloat64 distance\n",
        );
    }

    /// Action `f1_msgs/action/GoHome`
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct GoHome;

    impl crate::Action for GoHome {
        type Goal = GoHomeGoal;
        type Result = GoHomeResult;
        type Feedback = GoHomeFeedback;
        const TYPE_NAME: &'static str = "f1_msgs/action/GoHome";
        const TYPE_HASH: &'static str =
            "RIHS01_27aac67bc915eed14b79b1a5e631e4baffd3ba31998271a695fecbaf38c10205";
        const SEND_GOAL: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_SendGoal",
            dds_type_name: "f1_msgs::action::dds_::GoHome_SendGoal_",
            type_hash: "RIHS01_f6e860341493600217be2a09ad05ae7912f89f5403b05e9076dfb0928862aa9d",
        };
        const SEND_GOAL_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_SendGoal_Request",
            dds_type_name: "f1_msgs::action::dds_::GoHome_SendGoal_Request_",
            type_hash: "RIHS01_336837ac0dbb6b427e8c7772e4fe0ce49e8a520d14e7a09d14fd9425bdcade48",
        };
        const SEND_GOAL_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_SendGoal_Response",
            dds_type_name: "f1_msgs::action::dds_::GoHome_SendGoal_Response_",
            type_hash: "RIHS01_41cae9ab63b1f28d5e60020743f084a5e4bd3468248e58f22f3a59c490ecfd2a",
        };
        const GET_RESULT: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_GetResult",
            dds_type_name: "f1_msgs::action::dds_::GoHome_GetResult_",
            type_hash: "RIHS01_53f6de8504010801401031329fee54fab26c868f57e46d54347bccddca0f571c",
        };
        const GET_RESULT_REQUEST: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_GetResult_Request",
            dds_type_name: "f1_msgs::action::dds_::GoHome_GetResult_Request_",
            type_hash: "RIHS01_a55330b7216a7344023ebe0e392a58cb0f44fa47e0c006cd2b77bd2398a8f394",
        };
        const GET_RESULT_RESPONSE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_GetResult_Response",
            dds_type_name: "f1_msgs::action::dds_::GoHome_GetResult_Response_",
            type_hash: "RIHS01_fd6a42e9b2124df376a5cba5f390d02bf2528194c30189f68cfdf705b1ed5672",
        };
        const FEEDBACK_MESSAGE: crate::TypeInfo = crate::TypeInfo {
            type_name: "f1_msgs/action/GoHome_FeedbackMessage",
            dds_type_name: "f1_msgs::action::dds_::GoHome_FeedbackMessage_",
            type_hash: "RIHS01_afe2a8a07357a895c30413891bcc34ddd10a69554676dbcf0580548f3a3926f7",
        };
    }
}
