use std::path::Path;

/// Resident memory and processor time of a process, from `/proc` (Linux).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Processor time since its start, seconds.
    pub processor_seconds: f64,
}

/// Ticks of `/proc/PID/stat` in a second: USER_HZ, 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

impl Resources {
    /// Of the process with this number; `None` where it has ended.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        Self::read(&Path::new("/proc").join(process.to_string()))
    }

    /// Of all processes whose command line holds `word`.
    #[must_use]
    pub fn of_all(word: &str) -> Self {
        let mut sum = Self::default();
        for folder in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let path = folder.path();
            let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(word)
                && let Some(one) = Self::read(&path)
            {
                sum.resident_bytes += one.resident_bytes;
                sum.processor_seconds += one.processor_seconds;
            }
        }
        sum
    }

    fn read(folder: &Path) -> Option<Self> {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name of the program stands in brackets and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let kilobytes = status
            .lines()
            .find_map(|row| row.strip_prefix("VmRSS:"))?
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .ok()?;
        Some(Self {
            resident_bytes: kilobytes * 1024,
            // utime and stime are the fields 14 and 15 of the line.
            processor_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_others_do_not_exist() {
        let own = Resources::of(std::process::id()).unwrap();
        assert!(own.resident_bytes > 100_000, "{own:?}");
        assert_eq!(Resources::of(u32::MAX), None);
    }
}
