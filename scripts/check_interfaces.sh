#!/usr/bin/env bash
# Runs ROS 2's own C and C++ generators on f1_msgs and on the definitions that it depends on, and
# compiles what they write: a mistake in an interface file is found on a machine without ROS.
# Installs nothing.
#
#   apt-get install rosidl-tools rosidl-generator-c-cpp python3-rosidl python3-ament-index \
#     librosidl-runtime-c-cpp-dev librcutils-dev g++
#
# Usage: scripts/check_interfaces.sh [OUTPUT_FOLDER]. Ends with 77 when a tool is missing.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$(mktemp -d)}
definitions=$top/f1_interfaces/definitions

for tool in rosidl gcc g++; do
    command -v "$tool" >/dev/null || { echo "missing: $tool (see the head of $0)"; exit 77; }
done
/usr/bin/python3 -c 'import ament_index_python, rosidl_adapter, rosidl_generator_c' 2>/dev/null ||
    { echo "missing: the generators' Python modules (see the head of $0)"; exit 77; }
[ -e /usr/include/rosidl_runtime_c/rosidl_runtime_c/string.h ] &&
    [ -e /usr/include/rcutils/rcutils/allocator.h ] ||
    { echo "missing: headers (see the head of $0)"; exit 77; }
export AMENT_PREFIX_PATH=${AMENT_PREFIX_PATH:-/usr}

generate() { # generate FOLDER: the package in it, with its dependencies from the definitions
    local package files
    package=$(basename "$1")
    cd "$1"
    mapfile -t files < <(find . -name '*.msg' -o -name '*.srv' -o -name '*.action' |
        sed 's|^\./||' | sort)
    for language in c cpp; do
        rosidl generate -o "$out/$language/$package" -t "$language" -I "$definitions" \
            "$package" "${files[@]}" >"$out/log" 2>&1 ||
            { cat "$out/log"; echo "$package: the $language generator refuses it"; exit 1; }
    done
}

mkdir -p "$out"
for package in builtin_interfaces unique_identifier_msgs std_msgs service_msgs action_msgs; do
    generate "$definitions/$package"
done
generate "$top/f1_msgs"

# A type that is used and not defined passes the generators and fails here.
cd "$out"
flags=(-fsyntax-only -Wall -Werror -I/usr/include/rcutils -I/usr/include/rosidl_runtime_c
    -I/usr/include/rosidl_runtime_cpp -I/usr/include/rosidl_typesupport_interface)
find c/f1_msgs -name '*.c' -print0 | xargs -0 gcc -Ic "${flags[@]}"
find cpp/f1_msgs -maxdepth 2 -name '*.hpp' -printf '#include "f1_msgs/%P"\n' | sort >all.cpp
g++ -std=c++17 -Icpp "${flags[@]}" all.cpp
count=$(wc -l <all.cpp)
interfaces=$(find "$top/f1_msgs" -name '*.msg' -o -name '*.srv' -o -name '*.action' | wc -l)
[ "$count" -eq "$interfaces" ] ||
    { echo "$count headers were written: not one for each interface"; exit 1; }
echo "f1_msgs: $count interfaces pass ROS 2's generators and compile"
