use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is wrong with a code.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CodeError {
    /// A mine code (煤矿编码) has exactly twelve digits (`domain.md` 4.2).
    #[error("mine code {0:?} must be exactly 12 digits, such as 150602007866")]
    Mine(String),
    /// A camera code (摄像仪编码) has exactly twenty-four digits (`domain.md` 4.2, table B.2).
    #[error("camera code {0:?} must be exactly 24 digits, such as 150602004199960078664301")]
    Camera(String),
    /// Place classes (安装位置分类编码) run from 1 to 54 (`domain.md` 2, table A.1).
    #[error("place class {0} is not in 1..=54")]
    Place(i32),
}

macro_rules! digits_code {
    ($(#[$doc:meta])* $name:ident, $digits:literal, $error:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The digits.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;

            fn try_from(text: String) -> Result<Self, CodeError> {
                if text.len() == $digits && text.bytes().all(|byte| byte.is_ascii_digit()) {
                    Ok(Self(text))
                } else {
                    Err($error(text))
                }
            }
        }

        impl FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, CodeError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

digits_code! {
    /// A mine's code (煤矿编码): twelve digits, given by the national authority.
    MineCode, 12, CodeError::Mine
}

digits_code! {
    /// A camera's code (摄像仪编码): twenty-four digits; see `domain.md` 4.2 for what each one means.
    CameraCode, 24, CodeError::Camera
}

/// Where a camera stands (安装位置分类编码, table A.1 of the norm, `domain.md` 2): 1 to 54.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct PlaceClass(u8);

impl PlaceClass {
    /// Head of the main transport belt (主运输带式输送机机头).
    pub const BELT_HEAD: Self = Self(14);
    /// Dispatch room (调度室).
    pub const DISPATCH_ROOM: Self = Self(40);
    /// Main shaft mouth (主井口).
    pub const MAIN_SHAFT: Self = Self(42);
    /// Auxiliary shaft mouth (副井口).
    pub const AUXILIARY_SHAFT: Self = Self(43);
    /// Vent shaft mouth (风井口).
    pub const VENT_SHAFT: Self = Self(44);
    /// Vehicle and coal-yard gate (车辆出入口, 煤场出入口).
    pub const VEHICLE_GATE: Self = Self(53);

    /// The class number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The place's Chinese name, for operators.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self.0 {
            14 => "主运输皮带机头",
            15 => "主运输皮带机尾",
            16 => "主运输皮带中部",
            22 => "乘车点",
            23 => "架空乘人装置",
            35 => "副立井下井口",
            40 => "调度室",
            41 => "提升机房",
            42 => "主井口",
            43 => "副井口",
            44 => "风井口",
            52 => "地面工业广场",
            53 => "车辆出入口",
            _ => "其他位置",
        }
    }

    /// Whether people go underground here: what passes a line here changes the headcount.
    #[must_use]
    pub fn is_mouth(self) -> bool {
        matches!(self, Self::MAIN_SHAFT | Self::AUXILIARY_SHAFT | Self::VENT_SHAFT)
    }
}

impl TryFrom<i32> for PlaceClass {
    type Error = CodeError;

    fn try_from(number: i32) -> Result<Self, CodeError> {
        match u8::try_from(number) {
            Ok(class @ 1..=54) => Ok(Self(class)),
            _ => Err(CodeError::Place(number)),
        }
    }
}

impl From<PlaceClass> for i32 {
    fn from(place: PlaceClass) -> Self {
        Self::from(place.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_hold_exactly_their_digits() {
        assert!("150602007866".parse::<MineCode>().is_ok());
        for wrong in [
            "",
            "15060200786",
            "1506020078661",
            "15060200786x",
            "１50602007866",
        ] {
            assert!(wrong.parse::<MineCode>().is_err(), "{wrong}");
        }
        assert!("140421004199960078660101".parse::<CameraCode>().is_ok());
        assert!("14042100419996007866 101".parse::<CameraCode>().is_err());
    }

    #[test]
    fn place_classes_end_at_54() {
        assert_eq!(PlaceClass::try_from(43), Ok(PlaceClass::AUXILIARY_SHAFT));
        assert_eq!(PlaceClass::try_from(55), Err(CodeError::Place(55)));
        assert_eq!(PlaceClass::try_from(0), Err(CodeError::Place(0)));
    }
}
