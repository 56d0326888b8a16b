//! A vision-language model as judge of foresight (paper, section 4.1 and appendix E).

use std::time::Duration;

use base64::Engine as _;
use image::RgbImage;
use image::codecs::png::PngEncoder;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Example;

/// Longest wait for one answer, unless [`Judge::patience`] says otherwise: a large model on a busy
/// machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Characters of an unusable answer that are quoted in the message.
const QUOTED: usize = 200;

/// The three binary scores of one example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the scene stays coherent.
    pub scene: bool,
    /// Whether objects and robot stay what and where they are.
    pub object: bool,
    /// Whether it is a plausible next step of the task.
    pub progress: bool,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The endpoint did not answer as it should.
    #[error("{url}: {what}")]
    Endpoint {
        /// Where it was asked.
        url: String,
        /// What happened.
        what: String,
    },
    /// The answer does not begin with three scores.
    #[error("the judge answered `{0}`, not three numbers 0 or 1")]
    Answer(String),
}

/// An OpenAI-compatible endpoint with a vision model.
#[derive(Debug)]
pub struct Judge {
    url: String,
    model: String,
    key: Option<String>,
    agent: ureq::Agent,
}

impl Judge {
    /// A judge at `url` (`http://host:port` or up to `/v1`), asking for `model`; `key` is sent as a
    /// bearer token.
    #[must_use]
    pub fn new(url: &str, model: &str, key: Option<String>) -> Self {
        let base = url.trim_end_matches('/');
        let base = if base.ends_with("/v1") { base.to_owned() } else { format!("{base}/v1") };
        let url = format!("{base}/chat/completions");
        Self { url, model: model.to_owned(), key, agent: agent(PATIENCE) }
    }

    /// The same judge with another longest wait for one answer.
    #[must_use]
    pub fn patience(mut self, longest: Duration) -> Self {
        self.agent = agent(longest);
        self
    }

    /// Asks for one example's scores.
    ///
    /// # Errors
    /// When the endpoint cannot be reached in time, refuses, or its answer has no scores; the
    /// message says which.
    pub fn score(&self, example: &Example) -> Result<Verdict, JudgeError> {
        let endpoint = |what: String| JudgeError::Endpoint { url: self.url.clone(), what };
        let body = request(&self.model, example).map_err(|fault| endpoint(fault.to_string()))?;
        let mut ask = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            ask = ask.header("Authorization", &format!("Bearer {key}"));
        }
        let unreached = |fault: ureq::Error| match fault {
            ureq::Error::Timeout(_) => endpoint(
                "no answer in time: is the model loaded, and the machine not too busy for it?"
                    .to_owned(),
            ),
            fault => endpoint(format!("{fault}; is the endpoint running?")),
        };
        let mut answer = ask.send(body.to_string()).map_err(unreached)?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(unreached)?;
        if !status.is_success() {
            // OpenAI-compatible servers say why in `error.message`.
            let why = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|answer| answer["error"]["message"].as_str().map(str::to_owned))
                .unwrap_or(text);
            return Err(endpoint(format!("HTTP status {status}: {}", quoted(&why))));
        }
        let strange = || {
            endpoint(format!(
                "this is no answer of an OpenAI-compatible endpoint: {}",
                quoted(&text)
            ))
        };
        let answer: Value = serde_json::from_str(&text).map_err(|_| strange())?;
        parse_verdict(answer["choices"][0]["message"]["content"].as_str().ok_or_else(strange)?)
    }
}

fn agent(longest: Duration) -> ureq::Agent {
    // A refusal's text says more than its number, so that it is read as any other answer.
    ureq::Agent::config_builder()
        .timeout_global(Some(longest))
        .http_status_as_error(false)
        .build()
        .into()
}

fn quoted(text: &str) -> String {
    text.trim().chars().take(QUOTED).collect()
}

/// The paper's prompt for an instruction.
#[must_use]
pub fn judge_prompt(task: &str) -> String {
    include_str!("judge_prompt.txt").replace("{task_name}", task)
}

fn request(model: &str, example: &Example) -> Result<Value, image::ImageError> {
    let mut content = vec![json!({"type": "text", "text": judge_prompt(&example.task)})];
    // The prompt speaks of four images: the newest four, the first repeated when there are fewer.
    let history = &example.history;
    let four = (0..4).map(|place| {
        let back = 3 - place;
        &history[history.len().saturating_sub(back + 1).min(history.len() - 1)]
    });
    let named =
        four.enumerate().map(|(index, image)| (format!("Image {}:", index + 1), image)).chain([
            ("Image 5:".to_owned(), &example.foreseen),
            ("Image 5_GT:".to_owned(), &example.came),
        ]);
    for (name, image) in named {
        content.push(json!({"type": "text", "text": name}));
        content.push(json!({"type": "image_url", "image_url": {"url": data_url(image)?}}));
    }
    Ok(
        json!({"model": model, "temperature": 0, "messages": [{"role": "user", "content": content}]}),
    )
}

fn data_url(image: &RgbImage) -> Result<String, image::ImageError> {
    let mut bytes = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut bytes))?;
    Ok(format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
}

/// Reads the three scores that an answer must begin with; commas between them are forgiven.
///
/// # Errors
/// When the answer begins otherwise.
pub fn parse_verdict(answer: &str) -> Result<Verdict, JudgeError> {
    let fault = || JudgeError::Answer(quoted(answer));
    let mut scores = answer
        .split(|letter: char| letter.is_whitespace() || letter == ',')
        .filter(|word| !word.is_empty());
    let mut next = || match scores.next() {
        Some("0") => Ok(false),
        Some("1") => Ok(true),
        _ => Err(fault()),
    };
    Ok(Verdict { scene: next()?, object: next()?, progress: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};

    fn example() -> Example {
        let grey = |value: u8| RgbImage::from_pixel(4, 4, image::Rgb([value; 3]));
        Example {
            task: "pick up the red cube".into(),
            history: vec![grey(1), grey(2)],
            foreseen: grey(3),
            came: grey(4),
        }
    }

    #[test]
    fn scores_are_read_strictly() {
        let verdict = parse_verdict("1 0 1, Reason: blurred").unwrap();
        assert_eq!(verdict, Verdict { scene: true, object: false, progress: true });
        assert!(parse_verdict("0, 0, 0\n").is_ok());
        for wrong in ["", "1 1", "I think 1 1 1", "2 0 1", "yes"] {
            assert!(parse_verdict(wrong).is_err(), "{wrong}");
        }
    }

    /// A server for one request: gives `reply` (none: it keeps the connection open) and returns
    /// what it was asked.
    fn stand_in(reply: Option<String>) -> (String, std::thread::JoinHandle<(String, Value)>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            match reply {
                Some(reply) => reader.get_mut().write_all(reply.as_bytes()).unwrap(),
                // Until the other side gives up.
                None => drop(reader.read(&mut [0])),
            }
            (head, serde_json::from_slice::<Value>(&body).unwrap())
        });
        (address, server)
    }

    fn answer(status: &str, body: &str) -> Option<String> {
        let length = body.len();
        Some(format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn said(content: &str) -> Option<String> {
        answer("200 OK", &json!({"choices": [{"message": {"content": content}}]}).to_string())
    }

    #[test]
    fn a_stand_in_server_is_asked_as_an_openai_endpoint() {
        let (url, server) = stand_in(said("1 1 0\nThe arm does not move on."));
        let verdict = Judge::new(&url, "a-model", Some("secret".into())).score(&example()).unwrap();
        assert_eq!(verdict, Verdict { scene: true, object: true, progress: false });
        let (head, body) = server.join().unwrap();
        assert!(head.starts_with("POST /v1/chat/completions"), "{head}");
        assert!(head.to_lowercase().contains("authorization: bearer secret"));
        assert_eq!(body["model"], "a-model");
        let content = body["messages"][0]["content"].as_array().unwrap();
        assert!(content[0]["text"].as_str().unwrap().contains("\"pick up the red cube\""));
        // Two history frames: the older one three times, then the newer, what was foreseen, what
        // came.
        let images: Vec<u8> = content
            .iter()
            .filter_map(|part| part["image_url"]["url"].as_str())
            .map(|url| {
                let bytes = url.strip_prefix("data:image/png;base64,").unwrap();
                let bytes = base64::engine::general_purpose::STANDARD.decode(bytes).unwrap();
                image::load_from_memory(&bytes).unwrap().into_rgb8().get_pixel(0, 0).0[0]
            })
            .collect();
        assert_eq!(images, [1, 1, 1, 2, 3, 4]);
        let names: Vec<&str> =
            content[1..].iter().filter_map(|part| part["text"].as_str()).collect();
        assert_eq!(
            names,
            ["Image 1:", "Image 2:", "Image 3:", "Image 4:", "Image 5:", "Image 5_GT:"]
        );
    }

    #[test]
    fn every_fault_of_an_endpoint_is_named() {
        let refusal = r#"{"error": {"message": "the model `m` does not exist"}}"#;
        for (reply, named) in [
            (
                answer("404 Not Found", refusal),
                "HTTP status 404 Not Found: the model `m` does not exist",
            ),
            (
                answer("500 Internal Server Error", "out of memory"),
                "HTTP status 500 Internal Server Error: out of memory",
            ),
            (
                answer("200 OK", "<html>a proxy</html>"),
                "no answer of an OpenAI-compatible endpoint: <html>a proxy",
            ),
            (answer("200 OK", r#"{"choices": []}"#), "no answer of an OpenAI-compatible endpoint"),
            (
                said("I cannot see any image."),
                "the judge answered `I cannot see any image.`, not three numbers",
            ),
            (said("1 0"), "not three numbers 0 or 1"),
            (None, "no answer in time"),
        ] {
            let reply_comes = reply.is_some();
            let (url, server) = stand_in(reply);
            // Only the server that never answers is given up on, however busy the machine is.
            let patience = if reply_comes { PATIENCE } else { Duration::from_millis(300) };
            let judge = Judge::new(&url, "m", None).patience(patience);
            let message = judge.score(&example()).unwrap_err().to_string();
            assert!(message.contains(named), "{message}, not {named}");
            server.join().unwrap();
        }
        let message =
            Judge::new("http://127.0.0.1:9", "m", None).score(&example()).unwrap_err().to_string();
        assert!(
            message.contains("127.0.0.1:9/v1/chat/completions") && message.contains("running"),
            "{message}"
        );
    }
}
