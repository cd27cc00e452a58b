//! A server of one test, which answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What becomes of a request.
pub(crate) enum Reply {
    /// An answer with a status and a body; it has the request id `request-N` of the Nth request.
    Answer(u16, String),
    /// The connection is closed.
    Close,
    /// Nothing comes for so long.
    Silence(Duration),
}

/// An answer of the services that speak JSON.
pub(crate) fn json_error(status: u16, code: &str, text: &str) -> Reply {
    Reply::Answer(status, format!(r#"{{"__type":"com.amazonaws#{code}","message":"{text}"}}"#))
}

/// An answer of S3.
pub(crate) fn xml_error(status: u16, code: &str, text: &str) -> Reply {
    Reply::Answer(status, format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>"))
}

/// Listens on loopback until the test's process ends. Each request is given as text, with its number from 1.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, count) = (script.clone(), count.clone());
                thread::spawn(move || serve(stream, script.as_ref(), &count));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, script: &dyn Fn(usize, &str) -> Reply, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read_request(&mut reader) {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        match script(number, &request) {
            Reply::Answer(status, body) => {
                let body = if request.starts_with("HEAD") { "" } else { body.as_str() };
                let head = format!("HTTP/1.1 {status} x\r\nx-amzn-requestid: request-{number}\r\ncontent-length: ");
                let _ = write!(writer, "{head}{}\r\n\r\n{body}", body.len());
            }
            Reply::Close => return,
            Reply::Silence(time) => {
                thread::sleep(time);
                return;
            }
        }
    }
}

/// The head of a request; its body is read and left out.
fn read_request(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    reader.take(length.unwrap_or(0)).read_to_end(&mut vec![]).ok()?;
    Some(head)
}
