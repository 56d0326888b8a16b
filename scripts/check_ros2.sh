#!/usr/bin/env bash
# Checks the promises of docs/ros.md and docs/ros_stacks.md on a machine with a sourced ROS 2, by
# ros2's own tools, and prints a table. Needs a workspace in which f1_policy was built and sourced:
#
#   source /opt/ros/jazzy/setup.bash && source WORKSPACE/install/setup.bash
#   scripts/check_ros2.sh
set -u

if [[ -z ${ROS_DISTRO:-} ]] || ! command -v ros2 >/dev/null; then
  echo "no ROS 2 is sourced: source /opt/ros/DISTRO/setup.bash first" >&2
  exit 2
fi
if ! ros2 pkg prefix f1_policy >/dev/null 2>&1; then
  echo "f1_policy is not sourced: colcon build, then source install/setup.bash" >&2
  exit 2
fi

folder=$(mktemp -d)
rows=()
failed=0
launched=

finish() {
  if [[ -n $launched ]]; then
    kill -INT "$launched" 2>/dev/null
    wait "$launched" 2>/dev/null
  fi
  rm -r "$folder"
}
trap finish EXIT

# check WHAT COMMAND...: runs the command until it succeeds, at most a minute.
check() {
  local what=$1 end=$((SECONDS + 60))
  shift
  while ! "$@" >"$folder/output" 2>&1; do
    if ((SECONDS > end)); then
      rows+=("no   $what: $(tail -1 "$folder/output")")
      failed=1
      return 1
    fi
    sleep 1
  done
  rows+=("yes  $what")
}

says() { timeout 10 "${@:2}" 2>/dev/null | grep -q -- "$1"; }
status_says() { says "$1" ros2 topic echo --once /f1/status; }
call() { timeout 20 ros2 service call "$@"; }

ros2 launch f1_policy bringup.launch.py rviz:=false >"$folder/launch" 2>&1 &
launched=$!

for node in perception foresight action safety_filter; do
  check "node $node is in the graph" says "/f1/$node" ros2 node list
  check "$node is active" says "active \[3\]" ros2 lifecycle get "/f1/$node"
done
check "status is published" status_says "state:"
check "an instruction is taken" ros2 service call /f1/perception/set_instruction \
  f1_msgs/srv/SetInstruction "{instruction: 'pick up the red cube'}"
check "instruction/active is latched" says "red cube" \
  ros2 topic echo --once --qos-durability transient_local /f1/instruction/active
check "trajectories are sent" says "points:" \
  ros2 topic echo --once /f1/arm_controller/joint_trajectory
check "a parameter is read" says "50" ros2 param get /f1/safety_filter rate
check "a parameter out of range is refused" says "failed" \
  bash -c "ros2 param set /f1/safety_filter lead 99.0 2>&1"
check "diagnostics are published" says "f1_policy\|f1/safety_filter" \
  ros2 topic echo --once /diagnostics
check "lines of the nodes are on /rosout with file and line" says "\.rs" \
  ros2 topic echo --once --qos-durability transient_local --qos-reliability reliable /rosout
check "the console has ROS's form" grep -Eq '\[INFO\] \[[0-9]+\.[0-9]{9}\] \[f1\.' "$folder/launch"
check "no colour codes in the console's file" bash -c "! grep -q $'\x1b\\[3' '$folder/launch'"
check "logger levels are set" call /f1/safety_filter/set_logger_levels \
  rcl_interfaces/srv/SetLoggerLevels "{levels: [{name: f1.safety_filter, level: 10}]}"
check "stop stops" call /f1/safety_filter/stop std_srvs/srv/Trigger
check "status says why" status_says "safety_filter/stop was called"
check "reset releases" call /f1/safety_filter/reset std_srvs/srv/Trigger
check "the robot goes home" says "SUCCEEDED" \
  ros2 action send_goal /f1/safety_filter/go_home f1_msgs/action/GoHome "{}"
check "execute_task runs to its time limit" says "SUCCEEDED" ros2 action send_goal \
  /f1/execute_task f1_msgs/action/ExecuteTask \
  "{instruction: 'pick up the red cube', time_limit: {sec: 3}, home_first: true}"
check "markers are published" says "markers:" ros2 topic echo --once /f1/safety_filter/markers
check "a lifecycle transition is made" ros2 lifecycle set /f1/safety_filter deactivate
check "and the way back" ros2 lifecycle set /f1/safety_filter activate

kill -INT "$launched"
wait "$launched"
launched=
rows+=("yes  Ctrl-C ends the launch")

echo
echo "ROS_DISTRO=$ROS_DISTRO RMW_IMPLEMENTATION=${RMW_IMPLEMENTATION:-default}"
printf '%s\n' "${rows[@]}"
exit "$failed"
