use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mineseal_domain::{AlarmPhase, HealthCondition, MineCode, UtcMicros};
use mineseal_schemas::{Alarm, Camera, CameraHealth, Headcount};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::codes::{AlarmCode, CodeTable, SendAs};
use crate::{Delivery, Outgoing, PlatformAdapter, PlatformError};

/// Pictures above this size are left out (`domain.md` 4.4: 20 MB each).
const LARGEST_PICTURE_BYTES: usize = 20 * 1024 * 1024;

/// How a platform that speaks JSON arrays with OAuth2 is reached (`domain.md` 4.4).
#[derive(Clone, Debug)]
pub struct CoalJsonSettings {
    /// Base URL, to which the calls' paths are added.
    pub url: String,
    /// OAuth2 client; empty: no token is asked for.
    pub client_id: String,
    /// File with the client's secret.
    pub client_secret_file: PathBuf,
    /// Table of codes; empty: the product's own.
    pub code_table: PathBuf,
    /// An answer that takes longer counts as none.
    pub timeout: Duration,
}

/// Adapter for the interface of `domain.md` 4.4.
pub struct CoalJson {
    settings: CoalJsonSettings,
    secret: String,
    codes: CodeTable,
    client: Client,
    token: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Answer {
    code: i64,
    #[serde(default)]
    msg: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl CoalJson {
    /// Makes the adapter; nothing is sent yet.
    ///
    /// # Errors
    /// The code table or the secret cannot be read.
    pub fn new(settings: CoalJsonSettings) -> Result<Self, PlatformError> {
        let codes = CodeTable::load(&settings.code_table)?;
        let secret = if settings.client_secret_file.as_os_str().is_empty() {
            String::new()
        } else {
            std::fs::read_to_string(&settings.client_secret_file)
                .map_err(|cause| PlatformError::Secret {
                    file: settings.client_secret_file.display().to_string(),
                    cause: cause.to_string(),
                })?
                .trim()
                .to_owned()
        };
        let client = Client::builder()
            .timeout(settings.timeout)
            .build()
            .map_err(|cause| PlatformError::Network {
                what: "make an HTTP client".into(),
                cause: cause.to_string(),
            })?;
        Ok(Self {
            settings,
            secret,
            codes,
            client,
            token: Mutex::new(None),
        })
    }

    fn call(&self, outgoing: &Outgoing) -> Result<Option<(&'static str, Value)>, String> {
        Ok(match outgoing {
            Outgoing::Camera(camera) => Some(("/mine/ai/camera", self.camera(camera))),
            Outgoing::Headcount(headcount) => self.headcount(headcount),
            Outgoing::Health(health) => self.health(health),
            Outgoing::Alarm(alarm, picture) => {
                let code = self.codes.alarm(alarm.kind).ok_or_else(|| {
                    format!(
                        "the platform has no code for {} ({:?})",
                        alarm.kind.chinese(),
                        alarm.kind
                    )
                })?;
                self.alarm(alarm, code, picture.as_deref())
            }
        })
    }

    fn camera(&self, camera: &Camera) -> Value {
        let analysis = if camera.place.is_mouth() { "01" } else { "03" };
        json!({
            "cameraCode": self.codes.camera(camera.code.as_str()),
            "positionType": format!("{:02}", camera.place.number()),
            "positionDesc": camera.name,
            "analysisType": analysis,
            "dataTime": camera.changed_at.shanghai(),
            "mineCode": camera.mine,
        })
    }

    fn headcount(&self, headcount: &Headcount) -> Option<(&'static str, Value)> {
        let mouth = headcount.mouths.first()?;
        let body = underground(
            &headcount.mine,
            self.codes.camera(mouth.camera.as_str()),
            headcount.people,
            headcount.at,
        );
        Some(("/mine/ai/undergroundCount", body))
    }

    fn health(&self, health: &CameraHealth) -> Option<(&'static str, Value)> {
        let case = match health.condition {
            HealthCondition::Normal => {
                return Some(self.status(health.camera.as_str(), true, &health.mine, health.at));
            }
            HealthCondition::Lost => {
                return Some(self.status(health.camera.as_str(), false, &health.mine, health.at));
            }
            HealthCondition::Covered => "0001",
            HealthCondition::Moved => "0002",
            HealthCondition::Dark => "0003",
            HealthCondition::OverExposed => "0004",
            HealthCondition::Blurred => "0005",
            HealthCondition::Frozen => "0006",
            HealthCondition::Shaking => "0008",
            HealthCondition::WrongResolution => "0009",
            // The interface has no case for replayed footage; a frozen picture is the nearest.
            HealthCondition::Replayed => "0006",
            // Nor has it one for lost colours, and nothing else is near; the picture is there.
            HealthCondition::GreyOnly => {
                return Some(self.status(health.camera.as_str(), true, &health.mine, health.at));
            }
        };
        Some((
            "/mine/ai/videoAnomaly",
            json!({
                "cameraCode": self.codes.camera(health.camera.as_str()),
                "analysisType": "03",
                "analysisCase": case,
                "dataTime": health.at.shanghai(),
                "mineCode": health.mine,
            }),
        ))
    }

    fn status(&self, camera: &str, online: bool, mine: &MineCode, at: UtcMicros) -> (&'static str, Value) {
        let body = json!({
            "cameraCode": self.codes.camera(camera),
            "cameraStatus": i32::from(online),
            "dataTime": at.shanghai(),
            "mineCode": mine,
        });
        ("/mine/ai/cameraStatus", body)
    }

    fn alarm(
        &self,
        alarm: &Alarm,
        code: &AlarmCode,
        picture: Option<&[u8]>,
    ) -> Option<(&'static str, Value)> {
        let camera = alarm.camera.as_ref().map_or("", |camera| camera.as_str());
        match code.send_as {
            SendAs::CameraStatus => {
                Some(self.status(camera, alarm.phase == AlarmPhase::Cleared, &alarm.mine, alarm.at))
            }
            SendAs::UndergroundCount => Some((
                "/mine/ai/undergroundCount",
                underground(&alarm.mine, self.codes.camera(camera), alarm.people, alarm.at),
            )),
            // These two calls tell that something happened; the interface has no word for its end.
            SendAs::CountingRecognition | SendAs::VideoAnomaly if alarm.phase == AlarmPhase::Cleared => None,
            SendAs::CountingRecognition | SendAs::VideoAnomaly => {
                let case = if code.analysis_case.is_empty() {
                    people(alarm.people)
                } else {
                    code.analysis_case.clone()
                };
                let pictures: Vec<String> = picture
                    .filter(|bytes| bytes.len() <= LARGEST_PICTURE_BYTES)
                    .map(|bytes| STANDARD.encode(bytes))
                    .into_iter()
                    .collect();
                let path = match code.send_as {
                    SendAs::VideoAnomaly => "/mine/ai/videoAnomaly",
                    _ => "/mine/ai/countingRecog",
                };
                Some((
                    path,
                    json!({
                        "cameraCode": self.codes.camera(camera),
                        "analysisType": code.analysis_type,
                        "analysisCase": case,
                        "dataTime": alarm.at.shanghai(),
                        "imagesBase64": pictures,
                        "localFiles": [],
                        "mineCode": alarm.mine,
                    }),
                ))
            }
        }
    }

    async fn token(&self) -> Result<Option<String>, String> {
        if self.settings.client_id.is_empty() {
            return Ok(None);
        }
        let mut token = self.token.lock().await;
        if token.is_none() {
            let url = format!("{}/oauth2/client_token", self.settings.url.trim_end_matches('/'));
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", self.settings.client_id.as_str()),
                ("client_secret", self.secret.as_str()),
                ("scope", "mine"),
            ];
            let answer = self
                .client
                .post(&url)
                .form(&form)
                .send()
                .await
                .map_err(|error| reason(&error))?;
            if !answer.status().is_success() {
                return Err(format!("no token: {} answered {}", url, answer.status()));
            }
            let granted: Token = answer.json().await.map_err(|error| reason(&error))?;
            *token = Some(granted.access_token);
        }
        Ok(token.clone())
    }

    async fn post(&self, path: &str, body: &Value) -> Delivery {
        let token = match self.token().await {
            Ok(token) => token,
            Err(reason) => return Delivery::Unreachable { reason },
        };
        let url = format!("{}{path}", self.settings.url.trim_end_matches('/'));
        let mut request = self.client.post(&url).json(&json!([body]));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                return Delivery::Unreachable {
                    reason: reason(&error),
                };
            }
        };
        let status = answer.status();
        let text: String = match answer.text().await {
            Ok(text) => text.chars().take(2000).collect(),
            Err(error) => {
                return Delivery::Unreachable {
                    reason: reason(&error),
                };
            }
        };
        judge(status, text)
    }
}

/// Four digits, as the interface writes numbers of people; below zero is told as none.
fn people(number: i64) -> String {
    format!("{:04}", number.clamp(0, 9999))
}

fn underground(mine: &MineCode, camera: &str, number: i64, at: UtcMicros) -> Value {
    json!({ "cameraCode": camera, "analysisCase": people(number), "dataTime": at.shanghai(), "mineCode": mine })
}

/// The error's chain without the URL, which may name what should not be logged.
fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "cannot reach the platform".to_owned()
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Success is a status below 400 and code 200 in the body. What the platform's own state causes is tried again.
fn judge(status: StatusCode, text: String) -> Delivery {
    let number = status.as_u16();
    let again = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
        );
    if again {
        return Delivery::Unreachable {
            reason: format!("the platform answered {number}: {text}"),
        };
    }
    match serde_json::from_str::<Answer>(&text) {
        Ok(answer) if number < 400 && answer.code == 200 => Delivery::Accepted {
            status: number,
            answer: text,
        },
        Ok(answer) if answer.code >= 500 => Delivery::Unreachable {
            reason: format!("the platform answered code {}: {}", answer.code, answer.msg),
        },
        // A page that is not the platform's own answer comes from something between us and it.
        Err(_) if number < 400 => Delivery::Unreachable {
            reason: format!("not the platform's answer: {text}"),
        },
        _ => Delivery::Refused {
            status: number,
            answer: text,
        },
    }
}

#[async_trait]
impl PlatformAdapter for CoalJson {
    async fn deliver(&self, outgoing: &Outgoing) -> Delivery {
        let (path, body) = match self.call(outgoing) {
            Ok(Some(call)) => call,
            Ok(None) => return Delivery::NotNeeded,
            Err(answer) => return Delivery::Refused { status: 0, answer },
        };
        let first = self.post(path, &body).await;
        let token_expired = matches!(&first, Delivery::Unreachable { reason }
            if reason.starts_with("the platform answered 401") || reason.starts_with("the platform answered 403"));
        if token_expired && !self.settings.client_id.is_empty() {
            // A token that has run out is fetched anew once (`domain.md` 4.1).
            *self.token.lock().await = None;
            return self.post(path, &body).await;
        }
        first
    }
}
