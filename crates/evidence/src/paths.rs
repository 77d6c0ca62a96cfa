use mineseal_domain::{MineCode, UtcMicros};

/// What lies in an alarm's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// The JPEG of the moment.
    Picture,
    /// The JPEG of the moment in the size that the camera gives.
    FullPicture,
    /// The mp4 around it.
    Clip,
}

impl ObjectName {
    fn file_name(self) -> &'static str {
        match self {
            Self::Picture => "picture.jpg",
            Self::FullPicture => "full.jpg",
            Self::Clip => "clip.mp4",
        }
    }
}

/// `mine/yyyy/mm/dd/alarm/revision-file`: the day is that of the moment in Asia/Shanghai, so that a folder
/// holds what operators call one day. `request` tells several steps of one alarm apart.
#[must_use]
pub fn object_path(
    mine: &MineCode,
    alarm: &str,
    request: &str,
    captured_at: UtcMicros,
    name: ObjectName,
) -> String {
    let day = captured_at
        .shanghai()
        .split(' ')
        .next()
        .unwrap_or_default()
        .replace('-', "/");
    format!("{mine}/{day}/{alarm}/{request}-{}", name.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_in_shanghai() {
        let mine = "150602007866".parse().unwrap();
        let late = UtcMicros(1_719_680_400_000_000); // 2024-06-29T17:00:00Z, 01:00 of the 30th in Shanghai
        assert_eq!(
            object_path(&mine, "a1", "r1", late, ObjectName::Picture),
            "150602007866/2024/06/30/a1/r1-picture.jpg"
        );
    }
}
