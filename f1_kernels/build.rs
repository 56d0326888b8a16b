//! Compiles the CUDA kernels under `kernels/` to PTX, with the compiler that candle's own need, and
//! decides whether the CPU kernels use x86-64 instructions.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=kernels");
    portable();
    #[cfg(feature = "cuda")]
    if let Err(error) = cuda() {
        println!(
            "cargo::error=the CUDA kernels do not compile: {error}; docs/gpu.md says what the build needs"
        );
    }
}

/// Sets the cfg `f1_portable` where no code for x86-64 may be used: on other processors, and where
/// the environment variable `F1_PORTABLE` is set (and neither empty nor 0), for tests.
fn portable() {
    println!("cargo::rustc-check-cfg=cfg(f1_portable)");
    println!("cargo::rerun-if-env-changed=F1_PORTABLE");
    let wanted = std::env::var("F1_PORTABLE").is_ok_and(|value| !["", "0"].contains(&&*value));
    let x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    if wanted || !x86 {
        println!("cargo::rustc-cfg=f1_portable");
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    cudaforge::KernelBuilder::new()
        .source_dir("kernels")
        .watch(["kernels/common.cuh", "kernels/mma.cuh"])
        .arg("-std=c++17")
        .arg("-O3")
        .build_ptx()?
        .write(out.join("kernels.rs"))?;
    Ok(())
}
