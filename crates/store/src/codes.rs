use serde::Serialize;
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};

/// The name that an enum's value has on the bus and in JSON, such as `camera_fault`: the tables hold the same.
pub(crate) fn name_of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        // Only enums without data and codes come here; both are text in JSON.
        _ => String::new(),
    }
}

/// The value behind a name in a table; `None` for a name that a newer build has written.
pub(crate) fn value_of<T: DeserializeOwned>(name: &str) -> Option<T> {
    let deserializer: StrDeserializer<'_, NameError> = name.into_deserializer();
    T::deserialize(deserializer).ok()
}

#[cfg(test)]
mod tests {
    use mineseal_domain::{AlarmKind, MineCode};

    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(
            name_of(&AlarmKind::BeltRunsInStoppedMine),
            "belt_runs_in_stopped_mine"
        );
        assert_eq!(
            value_of("belt_runs_in_stopped_mine"),
            Some(AlarmKind::BeltRunsInStoppedMine)
        );
        assert_eq!(value_of::<AlarmKind>("no_such_kind"), None);
        let mine: MineCode = "150602007866".parse().unwrap();
        assert_eq!(name_of(&mine), "150602007866");
    }
}
