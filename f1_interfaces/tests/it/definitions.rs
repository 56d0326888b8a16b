//! What the types say of themselves.

use f1_interfaces::geometry_msgs::msg::Quaternion;
use f1_interfaces::nav_msgs::msg::Path;
use f1_interfaces::rcl_interfaces::msg::{Log, ParameterDescriptor, ParameterType};
use f1_interfaces::sensor_msgs::msg::Image;
use f1_interfaces::std_srvs::srv::{Trigger, TriggerRequest};
use f1_interfaces::visualization_msgs::msg::Marker;
use f1_interfaces::{Message, Service};

#[test]
fn names_are_those_of_ros_and_of_dds() {
    assert_eq!(Image::TYPE_NAME, "sensor_msgs/msg/Image");
    assert_eq!(Image::DDS_TYPE_NAME, "sensor_msgs::msg::dds_::Image_");
    assert_eq!(Trigger::TYPE_NAME, "std_srvs/srv/Trigger");
    assert_eq!(TriggerRequest::DDS_TYPE_NAME, "std_srvs::srv::dds_::Trigger_Request_");
}

#[test]
fn defaults_and_constants_are_those_of_the_files() {
    assert_eq!(Quaternion::default().w, 1.0);
    assert_eq!(Quaternion::default().x, 0.0);
    assert!(!ParameterDescriptor::default().read_only);
    assert_eq!(ParameterType::PARAMETER_STRING_ARRAY, 9);
    assert_eq!((Log::DEBUG, Log::FATAL), (10, 50));
    assert_eq!(Marker::DELETEALL, 3);
}

#[test]
fn a_definition_holds_each_type_that_it_needs_once() {
    let text = Path::DEFINITION;
    for needed in [
        "MSG: std_msgs/Header",
        "MSG: builtin_interfaces/Time",
        "MSG: geometry_msgs/PoseStamped",
        "MSG: geometry_msgs/Pose",
        "MSG: geometry_msgs/Point",
        "MSG: geometry_msgs/Quaternion",
    ] {
        let count = text.lines().filter(|line| *line == needed).count();
        assert_eq!(count, 1, "{needed}");
    }
    assert!(text.starts_with("std_msgs/Header header\ngeometry_msgs/PoseStamped[] poses\n===="));
}
