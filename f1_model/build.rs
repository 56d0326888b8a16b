//! Compiles the CUDA kernels under `kernels/` to PTX, with the compiler that candle's own need.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=kernels");
    #[cfg(feature = "cuda")]
    if let Err(error) = cuda() {
        println!(
            "cargo::error=the CUDA kernels do not compile: {error}; docs/gpu.md says what the build needs"
        );
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
