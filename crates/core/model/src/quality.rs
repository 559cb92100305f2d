use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How well a participant's media gets through, worst first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionQuality {
    /// Nothing gets through; the device is trying to come back.
    Lost,
    /// Speech may break up, pictures freeze.
    Poor,
    /// Pictures are reduced.
    Fair,
    /// Nothing to notice.
    Good,
}
