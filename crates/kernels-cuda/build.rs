//! Compiles the kernels: for devices with nvcc where it is there, and for the host.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Machine code for A100 and for H100 and H200, and PTX of the oldest, which the driver translates for every other
/// device from Ampere on.
const TARGETS: [&str; 3] = [
    "-gencode=arch=compute_80,code=sm_80",
    "-gencode=arch=compute_90,code=sm_90",
    "-gencode=arch=compute_80,code=compute_80",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=kernels");
    println!("cargo:rerun-if-env-changed=MINESEAL_NVCC");
    if env::var_os("CARGO_FEATURE_DEVICE").is_some() {
        compile_for_devices(&PathBuf::from(env::var("OUT_DIR")?).join("kernels.fatbin"))?;
    }
    #[cfg(feature = "emulation")]
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(1)
        .flag("-Wno-unknown-pragmas")
        .file("kernels/emulation.cpp")
        .try_compile("mineseal_kernels_emulation")?;
    Ok(())
}

/// Without a compiler the image is empty: types can be checked everywhere, and such a program says what it lacks.
fn compile_for_devices(image: &Path) -> Result<(), Box<dyn Error>> {
    let Some(compiler) = env::var_os("MINESEAL_NVCC").filter(|path| !path.is_empty()) else {
        fs::write(image, [])?;
        return Ok(());
    };
    let mut command = Command::new(&compiler);
    command
        .args(["-fatbin", "-O3", "-std=c++17", "--compress-mode=size"])
        .args(TARGETS);
    let status = command
        .arg("-o")
        .arg(image)
        .arg("kernels/kernels.cu")
        .status()
        .map_err(|error| format!("cannot run {}: {error}", compiler.display()))?;
    if !status.success() {
        return Err(format!("{} failed: {status}", compiler.display()).into());
    }
    Ok(())
}
