//! The folder where reports of positioning systems arrive, and what becomes of them there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mineseal_platform::{PositioningError, read_positioning};
use mineseal_schemas::Positioning;

/// Where reports go that were taken.
const DONE: &str = "done";
/// Where reports go that cannot be used, each with a text that says why.
const REFUSED: &str = "refused";
/// A report that is not whole is still being written, unless nothing was added to it for so long.
const STILL_WRITTEN: Duration = Duration::from_secs(60);

/// A folder that is watched.
pub(crate) struct Folder(PathBuf);

/// What was found in a report.
pub(crate) enum Found {
    /// It can be published.
    Report(Positioning),
    /// It is not whole yet.
    Unfinished,
    /// It will never be of use.
    Useless(PositioningError),
}

impl Folder {
    /// Makes the folders for what was taken and what was refused.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        for name in [DONE, REFUSED] {
            fs::create_dir_all(path.join(name))?;
        }
        Ok(Self(path.to_owned()))
    }

    /// The reports that lie there, the oldest of each mine first. Files of other kinds stay where they are.
    pub(crate) fn reports(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.contains("_RYSS_") && name.ends_with(".txt") && entry.file_type()?.is_file() {
                found.push(entry.path());
            }
        }
        // A name is the mine and then the time.
        found.sort();
        Ok(found)
    }

    /// Reads a report at the time `now`.
    pub(crate) fn read(path: &Path, now: SystemTime) -> io::Result<Found> {
        let written = fs::metadata(path)?.modified()?;
        let bytes = fs::read(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(match read_positioning(&name, &bytes) {
            Ok(report) => Found::Report(report),
            // A time in the future is a clock's fault, not the file's.
            Err(_) if now.duration_since(written).unwrap_or_default() < STILL_WRITTEN => Found::Unfinished,
            Err(error) => Found::Useless(error),
        })
    }

    /// Puts a report away that was taken.
    pub(crate) fn done(&self, path: &Path) -> io::Result<()> {
        self.put(path, DONE)
    }

    /// Puts a report away that cannot be used, and why.
    pub(crate) fn refuse(&self, path: &Path, reason: &str) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::write(self.0.join(REFUSED).join(format!("{name}.reason")), reason)?;
        self.put(path, REFUSED)
    }

    fn put(&self, path: &Path, folder: &str) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        fs::rename(path, self.0.join(folder).join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "150602007866_RYSS_20240629192424.txt";
    const WHOLE: &str = "150602007866;示范煤矿;人员定位;某系统;2024-06-29 19:24:24~A1;甲;1~||";

    #[test]
    fn reports_come_in_the_order_of_their_time_and_other_files_stay() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        for name in [
            "150602007866_RYSS_20240629192424.txt",
            "150602007866_RYSS_20240629192324.txt",
            "150602007866_RYXX_20240629192324.txt",
            "150602007866_RYSS_20240629192524.txt.part",
        ] {
            fs::write(place.path().join(name), WHOLE).unwrap();
        }
        let names: Vec<_> = folder
            .reports()
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            names,
            [
                "150602007866_RYSS_20240629192324.txt",
                "150602007866_RYSS_20240629192424.txt"
            ]
        );
    }

    #[test]
    fn half_a_report_is_waited_for_and_then_refused_with_its_reason() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let path = place.path().join(NAME);
        fs::write(&path, &WHOLE[..WHOLE.len() - 2]).unwrap();
        let now = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(matches!(Folder::read(&path, now).unwrap(), Found::Unfinished));
        let later = now + STILL_WRITTEN;
        let Found::Useless(error) = Folder::read(&path, later).unwrap() else {
            panic!("it is of use");
        };
        folder.refuse(&path, &error.to_string()).unwrap();
        let reason = fs::read_to_string(place.path().join("refused").join(format!("{NAME}.reason"))).unwrap();
        assert!(reason.contains("not complete"), "{reason}");
        assert!(folder.reports().unwrap().is_empty());
        assert!(place.path().join("refused").join(NAME).is_file());
    }

    #[test]
    fn a_whole_report_is_read_at_once_and_put_away() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let path = place.path().join(NAME);
        fs::write(&path, WHOLE).unwrap();
        let Found::Report(report) = Folder::read(&path, SystemTime::now()).unwrap() else {
            panic!("it is not taken");
        };
        assert_eq!(report.people, 1);
        folder.done(&path).unwrap();
        assert!(place.path().join("done").join(NAME).is_file());
    }
}
