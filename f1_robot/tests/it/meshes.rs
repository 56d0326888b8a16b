//! Collision shapes from meshes: what they enclose, how far they reach, and what happens where the
//! meshes are not.

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use f1_robot::clearance::{Shape, hull_distance};
use f1_robot::safety::{FilterInput, FilterSettings, MeasuredState, SafetyFilter, Verdict};
use f1_robot::{RawChunk, Robot};
use nalgebra::Point3;
use rand::Rng as _;

type Mesh = Vec<[Point3<f64>; 3]>;

fn quad(mesh: &mut Mesh, [a, b, c, d]: [Point3<f64>; 4]) {
    mesh.push([a, b, c]);
    mesh.push([a, c, d]);
}

/// A box from corner to corner: eight vertices, twelve triangles.
fn block(mesh: &mut Mesh, least: [f64; 3], greatest: [f64; 3]) {
    let corner = |i: usize| {
        let pick = |axis: usize| if i >> axis & 1 == 0 { least[axis] } else { greatest[axis] };
        Point3::new(pick(0), pick(1), pick(2))
    };
    for side in [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
    {
        quad(mesh, side.map(corner));
    }
}

/// A pipe along a path of points, `count` vertices around.
fn pipe(mesh: &mut Mesh, path: &[Point3<f64>], radius: f64, count: usize) {
    let ring = |at: &Point3<f64>, along: nalgebra::Vector3<f64>| -> Vec<Point3<f64>> {
        let side = along.cross(&nalgebra::Vector3::new(0.31, 0.72, 0.62)).normalize();
        let up = along.normalize().cross(&side);
        let angle = |i: usize| TAU * i as f64 / count as f64;
        (0..count)
            .map(|i| at + side * radius * angle(i).cos() + up * radius * angle(i).sin())
            .collect()
    };
    let rings: Vec<Vec<Point3<f64>>> = (0..path.len())
        .map(|i| {
            let (before, after) = (path[i.saturating_sub(1)], path[(i + 1).min(path.len() - 1)]);
            ring(&path[i], after - before)
        })
        .collect();
    for pair in rings.windows(2) {
        for i in 0..count {
            let j = (i + 1) % count;
            quad(mesh, [pair[0][i], pair[0][j], pair[1][j], pair[1][i]]);
        }
    }
    for (ring, at) in [(&rings[0], path[0]), (&rings[rings.len() - 1], path[path.len() - 1])] {
        (0..count).for_each(|i| mesh.push([at, ring[i], ring[(i + 1) % count]]));
    }
}

/// Meshes as links have them: few and many vertices, an elbow, a plate, a bow.
fn meshes() -> Vec<Mesh> {
    let point = Point3::new;
    let mut all: Vec<Mesh> = vec![Mesh::new(); 6];
    block(&mut all[0], [-0.05, -0.1, 0.0], [0.05, 0.1, 0.3]);
    pipe(&mut all[1], &[point(0.0, 0.0, 0.0), point(0.0, 0.0, 0.4)], 0.05, 64);
    block(&mut all[2], [-0.04, -0.04, -0.04], [0.3, 0.04, 0.04]);
    block(&mut all[2], [0.22, -0.04, -0.04], [0.3, 0.04, 0.4]);
    block(&mut all[3], [-0.2, -0.15, 0.0], [0.2, 0.15, 0.002]);
    let bow: Vec<Point3<f64>> = (0..=40)
        .map(|i| TAU * 0.6 * f64::from(i) / 40.0)
        .map(|angle| point(0.2 * angle.cos(), 0.0, 0.2 * angle.sin()))
        .collect();
    pipe(&mut all[4], &bow, 0.03, 32);
    let mut random = crate::shipped::generator(5);
    for _ in 0..3000 {
        let corner = [0.12, 0.08, 0.2].map(|size| random.random_range(-size..size));
        let near = |d: f64, axis: usize| corner[axis] + d;
        let [a, b, c] = [0.0, 0.004, -0.003].map(|d| point(near(d, 0), near(-d, 1), near(d, 2)));
        all[5].push([a, b, c]);
    }
    all
}

fn stl(mesh: &Mesh) -> Vec<u8> {
    let mut bytes = vec![0; 80];
    bytes.extend((mesh.len() as u32).to_le_bytes());
    for triangle in mesh {
        bytes.extend([0; 12]);
        for x in triangle.iter().flat_map(|point| point.coords.iter()) {
            bytes.extend((*x as f32).to_le_bytes());
        }
        bytes.extend([0; 2]);
    }
    bytes
}

fn obj(mesh: &Mesh) -> Vec<u8> {
    let mut text = String::new();
    for point in mesh.iter().flatten() {
        writeln!(text, "v {} {} {}", point.x, point.y, point.z).unwrap();
    }
    for first in (0..mesh.len()).map(|i| 3 * i + 1) {
        writeln!(text, "f {} {} {}", first, first + 1, first + 2).unwrap();
    }
    text.into_bytes()
}

fn collada(mesh: &Mesh, unit: f64) -> Vec<u8> {
    let numbers: Vec<String> = mesh
        .iter()
        .flatten()
        .flat_map(|point| point.coords.iter())
        .map(|x| (x / unit).to_string())
        .collect();
    let indices: Vec<String> = (0..3 * mesh.len()).map(|i| i.to_string()).collect();
    format!(
        "<?xml version=\"1.0\"?><COLLADA xmlns=\"http://www.collada.org/2005/11/COLLADASchema\" \
         version=\"1.4.1\"><asset><unit meter=\"{unit}\"/><up_axis>Z_UP</up_axis></asset>\
         <library_geometries><geometry id=\"g\"><mesh><source id=\"p\"><float_array id=\"a\" \
         count=\"{0}\">{1}</float_array><technique_common><accessor source=\"#a\" count=\"{2}\" \
         stride=\"3\"><param name=\"X\" type=\"float\"/><param name=\"Y\" type=\"float\"/><param \
         name=\"Z\" type=\"float\"/></accessor></technique_common></source><vertices id=\"v\"><input \
         semantic=\"POSITION\" source=\"#p\"/></vertices><triangles count=\"{3}\"><input \
         semantic=\"VERTEX\" source=\"#v\" offset=\"0\"/><p>{4}</p></triangles></mesh></geometry>\
         </library_geometries><library_visual_scenes><visual_scene id=\"s\"><node id=\"n\"><instance_geometry \
         url=\"#g\"/></node></visual_scene></library_visual_scenes><scene><instance_visual_scene \
         url=\"#s\"/></scene></COLLADA>",
        numbers.len(),
        numbers.join(" "),
        numbers.len() / 3,
        mesh.len(),
        indices.join(" ")
    )
    .into_bytes()
}

/// An arm of six links with the meshes above, in a folder as a ROS package has it.
struct Arm {
    folder: tempfile::TempDir,
    file: PathBuf,
}

const LINKS: usize = 6;

fn urdf(collision: impl Fn(usize) -> String) -> String {
    let mut text = String::from("<robot name=\"arm\"><link name=\"base\"/>");
    for i in 0..LINKS {
        let parent = if i == 0 { "base".to_owned() } else { format!("link{}", i - 1) };
        let axis = if i % 2 == 0 { "0 0 1" } else { "0 1 0" };
        let visual = "<visual><geometry><sphere radius=\"0.01\"/></geometry></visual>";
        write!(
            text,
            "<link name=\"link{i}\">{visual}{}</link><joint name=\"j{i}\" type=\"revolute\"><parent \
             link=\"{parent}\"/><child link=\"link{i}\"/><origin xyz=\"0.5 0 0.6\"/><axis \
             xyz=\"{axis}\"/><limit lower=\"-2\" upper=\"2\" effort=\"1\" velocity=\"1\"/></joint>",
            collision(i)
        )
        .unwrap();
    }
    text + "</robot>"
}

fn robot_file(extra: &str) -> String {
    let joints: Vec<String> = (0..LINKS).map(|i| format!("j{i}")).collect();
    let joints = joints.join(", ");
    let each =
        |value: &str| -> String { (0..LINKS).map(|i| format!("  j{i}: {value}\n")).collect() };
    format!(
        "name: arm\nurdf: ../urdf/arm.urdf\ncameras:\n  - {{name: c, topic: c, roles: [und, history]}}\n\
         arms:\n  - {{name: arm, base: base, tip: link5, joints: [{joints}]}}\n\
         state: {{parts: [{{kind: joint_positions, joints: [{joints}]}}]}}\n\
         action: {{rate_hz: 10, parts: [{{kind: joint_positions, joints: [{joints}]}}]}}\n\
         statistics: {{name: arm, state: none, action: none}}\n\
         controllers:\n  - {{name: c, joints: [{joints}], interface: joint_trajectory}}\n\
         joint_limits:\n{}home:\n{}{extra}",
        each("{acceleration: 5.0, jerk: 100.0}"),
        each("0.0")
    )
}

fn mesh_element(i: usize) -> String {
    let kind = ["stl", "obj", "dae"][i % 3];
    format!(
        "<collision><origin xyz=\"0.01 0 {}\" rpy=\"0.1 0 0.2\"/><geometry><mesh \
         filename=\"package://my_arm/meshes/link{i}.{kind}\" scale=\"0.8 0.8 0.8\"/></geometry>\
         </collision>",
        0.01 * i as f64
    )
}

fn arm() -> Arm {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("my_arm");
    for name in ["meshes", "urdf", "config"] {
        std::fs::create_dir_all(package.join(name)).unwrap();
    }
    for (i, mesh) in meshes().iter().enumerate() {
        let (kind, bytes) = match i % 3 {
            0 => ("stl", stl(mesh)),
            1 => ("obj", obj(mesh)),
            _ => ("dae", collada(mesh, if i == 2 { 1.0 } else { 0.01 })),
        };
        std::fs::write(package.join(format!("meshes/link{i}.{kind}")), bytes).unwrap();
    }
    std::fs::write(package.join("urdf/arm.urdf"), urdf(mesh_element)).unwrap();
    let file = package.join("config/arm.yaml");
    std::fs::write(&file, robot_file("")).unwrap();
    Arm { folder, file }
}

/// The mesh of link `i` in the link's frame.
fn placed(i: usize) -> Mesh {
    let rotation = nalgebra::UnitQuaternion::from_euler_angles(0.1, 0.0, 0.2);
    let offset = nalgebra::Translation3::new(0.01, 0.0, 0.01 * i as f64);
    let place = |p: Point3<f64>| offset * (rotation * Point3::from(p.coords * 0.8));
    meshes()[i].iter().map(|triangle| triangle.map(place)).collect()
}

fn shapes_of<'a>(robot: &'a Robot, link: &str) -> Vec<&'a Shape> {
    robot.clearance().shapes().filter(|(name, _)| *name == link).map(|(_, shape)| shape).collect()
}

#[test]
fn shapes_enclose_the_mesh_s_surface_and_stay_within_two_centimetres_of_its_hull() {
    let arm = arm();
    let robot = Robot::load(&arm.file).unwrap_or_else(|error| panic!("{error}"));
    let mut random = crate::shipped::generator(6);
    assert_eq!(robot.clearance().fitted().len(), LINKS);
    for i in 0..LINKS {
        let (mesh, shapes) = (placed(i), shapes_of(&robot, &format!("link{i}")));
        assert!(!shapes.is_empty() && shapes.len() <= 6, "link{i}: {}", shapes.len());
        let inside = |point: &Point3<f64>| shapes.iter().any(|shape| shape.distance(point) < 1e-7);
        for triangle in &mesh {
            assert!(triangle.iter().all(inside), "link{i}: {triangle:?}");
        }
        // The surface between the vertices too.
        for _ in 0..2000 {
            let [a, b, c] = mesh[random.random_range(0..mesh.len())];
            let (u, v): (f64, f64) = (random.random(), random.random());
            let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
            assert!(inside(&(a + (b - a) * u + (c - a) * v)), "link{i}");
        }
        let vertices: Vec<Point3<f64>> = mesh.iter().flatten().copied().collect();
        for shape in shapes {
            for point in &shape.points {
                let out = hull_distance(&vertices, &[*point], f64::INFINITY) + shape.radius;
                assert!(out < 0.02, "link{i}: {out}");
            }
        }
    }
    // An elbow is not filled: the point between its legs is free.
    let between = nalgebra::UnitQuaternion::from_euler_angles(0.1, 0.0, 0.2)
        * (Point3::new(0.05, 0.0, 0.3) * 0.8);
    let elbow = shapes_of(&robot, "link2");
    assert!(elbow.iter().all(|shape| shape.distance(&between) > 0.01), "{elbow:?}");
}

#[test]
fn an_arm_of_meshes_loads_at_home_and_moves_there() {
    let arm = arm();
    let robot = Arc::new(Robot::load(&arm.file).unwrap());
    let names = crate::shipped::names(&robot);
    let rows: Vec<Vec<f64>> = crate::filter_behaviour::smooth(robot.home(), 0.1, 15);
    let state = MeasuredState {
        stamp: 0,
        names: names.clone(),
        positions: robot.home().to_vec(),
        velocities: Vec::new(),
    };
    let chunk =
        RawChunk { stamp: 0, sequence: 1, epoch: 0, joint_names: names, rate_hz: 10.0, rows };
    let mut filter = SafetyFilter::new(robot, FilterSettings::default());
    let input = FilterInput { now: 0, state: Some(state), chunk: Some(chunk), lock: false };
    let output = filter.step(&input);
    assert_eq!(output.verdict, Verdict::Accepted, "{:?}", output.events);
}

/// The faults of a robot file with this text after its other keys, with or without a folder.
fn faults(urdf: &str, extra: &str) -> Vec<String> {
    match Robot::from_text(&robot_file(extra), urdf) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn links_without_a_shape_are_named_and_refused_unless_listed() {
    let one_bare = urdf(|i| {
        let sphere = "<collision><geometry><sphere radius=\"0.05\"/></geometry></collision>";
        if i == 3 || i == 4 { String::new() } else { sphere.into() }
    });
    let found = faults(&one_bare, "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("unchecked_links: ") && found[0].contains("link3, link4"),
        "{found:?}"
    );
    assert_eq!(faults(&one_bare, "unchecked_links: [link3, link4]\n"), Vec::<String>::new());
    let found = faults(&one_bare, "unchecked_links: [link3]\n");
    assert!(found.len() == 1 && found[0].contains("[link4]"), "{found:?}");
    let found = faults(&one_bare, "unchecked_links: [link3, link4, linkx]\n");
    assert_eq!(found, ["unchecked_links[2]: the URDF has no link `linkx`"]);
    // A shape from the robot file does as well.
    let own = "collision_shapes:\n  link3: [{points: [[0, 0, 0], [0, 0, 0.1]], radius: 0.03}]\n  \
               link4: [{points: [[0, 0, 0]], radius: 0.02}]\n";
    assert_eq!(faults(&one_bare, own), Vec::<String>::new());
    let robot = Robot::from_text(&robot_file("unchecked_links: [link3, link4]\n"), &one_bare);
    assert_eq!(robot.unwrap().clearance().unchecked(), ["link3", "link4"]);
}

#[test]
fn shapes_that_are_none_are_faults_of_their_place() {
    let spheres =
        urdf(|_| "<collision><geometry><sphere radius=\"0.05\"/></geometry></collision>".into());
    for (shapes, fault) in [
        ("link1: []", "collision_shapes.link1: empty"),
        ("link1: [{points: [], radius: 1}]", "collision_shapes.link1[0].points: at least one"),
        ("link1: [{points: [[0, 0, 0]]}]", "collision_shapes.link1[0].radius: must be greater"),
        (
            "link1: [{points: [[0, 0]], radius: 1}]",
            "collision_shapes.link1[0].points[0]: expected 3",
        ),
        ("linkx: [{points: [[0, 0, 0]], radius: 1}]", "collision_shapes.linkx: the URDF has no"),
    ] {
        let found = faults(&spheres, &format!("collision_shapes:\n  {shapes}\n"));
        assert!(found.len() == 1 && found[0].starts_with(fault), "{fault}: {found:?}");
    }
}

#[test]
fn meshes_that_are_not_at_hand_are_named_each_with_a_way_out_and_all_faults_at_once() {
    let arm = arm();
    let package = arm.file.parent().unwrap().parent().unwrap();
    for name in ["link1.obj", "link5.dae"] {
        std::fs::remove_file(package.join("meshes").join(name)).unwrap();
    }
    std::fs::write(package.join("meshes/link3.stl"), "no mesh").unwrap();
    // A fault of another kind does not hide them.
    let text = robot_file("").replace("rate_hz: 10", "rate_hz: 0");
    std::fs::write(&arm.file, text).unwrap();
    let error = Robot::load(&arm.file).unwrap_err();
    let found: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 4, "{found:#?}");
    for named in ["action.rate_hz", "link `link1`", "link `link3`", "link `link5`"] {
        assert!(found.iter().any(|fault| fault.contains(named)), "{named}: {found:#?}");
    }
    assert!(found.iter().filter(|fault| fault.contains("unchecked_links")).count() == 3);
    std::fs::write(&arm.file, robot_file("unchecked_links: [link1, link3, link5]\n")).unwrap();
    let robot = Robot::load(&arm.file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(robot.clearance().unchecked(), ["link1", "link3", "link5"]);
    let _ = &arm.folder;
}

#[test]
fn shapes_written_to_the_robot_file_need_no_meshes() {
    let arm = arm();
    let robot = Robot::load(&arm.file).unwrap();
    let mut extra = String::from("collision_shapes:\n");
    let mut last = String::new();
    for (link, shape) in robot.clearance().shapes() {
        if link != last {
            writeln!(extra, "  {link}:").unwrap();
            last = link.to_owned();
        }
        let points: Vec<String> =
            shape.points.iter().map(|p| format!("[{:?}, {:?}, {:?}]", p.x, p.y, p.z)).collect();
        writeln!(extra, "    - {{radius: {:?}, points: [{}]}}", shape.radius, points.join(", "))
            .unwrap();
    }
    let text = std::fs::read_to_string(Path::new(&arm.file).with_file_name("../urdf/arm.urdf"));
    let without = Robot::from_text(&robot_file(&extra), &text.unwrap()).unwrap();
    let shapes = |robot: &Robot| -> Vec<(String, Shape)> {
        robot.clearance().shapes().map(|(link, shape)| (link.into(), shape.clone())).collect()
    };
    assert_eq!(shapes(&robot), shapes(&without));
}
