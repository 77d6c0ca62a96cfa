use mineseal_domain::{MineCode, UtcMicros};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Topic `corrections`, key identity, compacted: a person's correction of a mine's headcount, and what the counter
/// made of it. The record with the outcome takes the place of the order and holds all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// UUIDv7, given when it was ordered.
    pub id: Uuid,
    /// The mine.
    pub mine: MineCode,
    /// People who are underground at that time, by a count of heads.
    pub people: i64,
    /// Why, in the words of whoever ordered it.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// Event time from which it holds.
    pub at: UtcMicros,
    /// When it was ordered.
    pub ordered_at: UtcMicros,
    /// Ed25519 over [`Correction::signed_bytes`], by the key of whoever ordered it.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
    /// What the counter made of it; none until it has decided.
    pub outcome: Option<CorrectionOutcome>,
}

/// What the counter made of a correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionOutcome {
    /// False if it was refused, and nothing was changed.
    pub applied: bool,
    /// Why it was refused; empty if it was applied.
    pub refusal: String,
    /// People underground before it, as counted.
    pub before: i64,
    /// People that it added; negative for people taken away.
    pub change: i64,
    /// Partition of topic `detections`.
    pub partition: i32,
    /// The record before whose crossings it was decided.
    pub offset: i64,
}

impl Correction {
    /// What is signed: every field of the order, each with its length, so that no two orders have the same bytes.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let fields = [
            "mineseal headcount correction 1".to_owned(),
            self.id.to_string(),
            self.mine.to_string(),
            self.people.to_string(),
            self.reason.clone(),
            self.by.clone(),
            self.at.0.to_string(),
            self.ordered_at.0.to_string(),
        ];
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_order_is_signed() -> Result<(), mineseal_domain::CodeError> {
        let order = Correction {
            id: Uuid::from_u128(1),
            mine: "150602007866".parse()?,
            people: 11,
            reason: "roll call".into(),
            by: "duty officer".into(),
            at: UtcMicros(5),
            ordered_at: UtcMicros(4),
            signature: Vec::new(),
            outcome: None,
        };
        let changes: [fn(&mut Correction); 7] = [
            |order| order.id = Uuid::from_u128(2),
            |order| order.people = 12,
            |order| order.reason.push('x'),
            |order| order.by.push('x'),
            |order| order.at.0 += 1,
            |order| order.ordered_at.0 += 1,
            // The same letters, cut elsewhere.
            |order| (order.reason, order.by) = ("roll cal".into(), "lduty officer".into()),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = order.clone();
            change(&mut other);
            assert_ne!(other.signed_bytes(), order.signed_bytes(), "{index}");
        }
        let other = Correction {
            mine: "150602007867".parse()?,
            ..order.clone()
        };
        assert_ne!(other.signed_bytes(), order.signed_bytes());
        Ok(())
    }
}
