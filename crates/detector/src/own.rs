use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The product's own weights, for rendered scenes; `config/models/mineseal-yolox-nano.md` says what they can do.
const BYTES: &[u8] = include_bytes!("../../../config/models/mineseal-yolox-nano.safetensors");

/// Path of the product's own weights. They are part of the program and are written out once a machine, because
/// weights are loaded from files. Any number of threads and processes may ask at once.
///
/// # Errors
/// The system's folder for temporary files cannot be written.
pub fn own_weights() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("mineseal-weights-{}", env!("CARGO_PKG_VERSION")));
    written_out(&folder, BYTES)
}

/// The file in `folder` that holds exactly `bytes`. Somebody else's file of this name is not taken for it.
fn written_out(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let file = folder.join(format!("mineseal-yolox-nano-{:08x}.safetensors", checksum(bytes)));
    if fs::read(&file).is_ok_and(|there| there == bytes) {
        return Ok(file);
    }
    fs::create_dir_all(folder)?;
    // Each writes a file of its own and gives it the name when it is whole.
    let mut half = tempfile::Builder::new()
        .prefix("half-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    half.write_all(bytes)?;
    half.persist(&file)?;
    Ok(file)
}

/// FNV-1a: tells the files of different builds apart.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// The first detectors of a machine were started by several threads at once, whose half files had one name.
    #[test]
    fn many_threads_write_one_whole_file() {
        let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let together = Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        together.wait();
                        let file = written_out(folder.path(), &bytes).unwrap();
                        assert!(fs::read(file).unwrap() == bytes, "not whole");
                    });
                }
            });
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                1,
                "half files are left"
            );
        }
    }

    #[test]
    fn a_file_of_that_name_with_something_else_in_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = written_out(folder.path(), b"weights").unwrap();
        fs::write(&file, b"weighty").unwrap();
        assert_eq!(
            fs::read(written_out(folder.path(), b"weights").unwrap()).unwrap(),
            b"weights"
        );
    }
}
