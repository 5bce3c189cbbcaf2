//! A small HTTP server on this machine that can misbehave, for the tests of downloads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How the server answers requests for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// With all or the asked part of it.
    Right,
    /// With all of it, whatever part is asked for.
    IgnoresRange,
    /// With another part than is asked for.
    WrongRange,
    /// With 416 to any part that is asked for.
    RefusesRange,
    /// With a body of the same length that is something else.
    Lies,
    /// With a web page.
    Page,
    /// With half of what is asked for, in each answer, though it announced all.
    Truncates,
    /// With less than it announced, first; then rightly.
    TruncatesOnce,
    /// With half of what is asked for and no word of its length.
    EndsEarlyUnannounced,
    /// With the body and as much again, without a length.
    SendsMore,
    /// Without end.
    NeverEnds,
    /// By pointing to itself.
    RedirectsInALoop,
    /// By pointing to `/moved/…`, which is right.
    Redirects,
    /// With a head and a few bytes, and then nothing.
    Stalls,
    /// One byte now and then.
    Drips,
    /// Not at all, though it takes the call.
    Silent,
    /// With status 404.
    Missing,
    /// With status 503, twice; then rightly.
    Overloaded,
    /// With bytes that are no HTTP.
    Garbled,
}

/// The server, and what it was asked.
pub(super) struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves `files` (name and contents) on a free port, until the test ends.
    pub(super) fn start(files: Vec<(String, Vec<u8>)>, manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, log) = (files.clone(), Arc::clone(&log));
                // A caller that hangs up early is part of the play.
                thread::spawn(move || drop(answer(stream.unwrap(), &files, manner, &log)));
            }
        });
        Server { url, requests }
    }

    /// The requests so far, each as its path, and its range where it has one.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &[(String, Vec<u8>)],
    manner: Manner,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let mut from = None;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = Some(range.trim_end_matches('-').parse::<usize>().unwrap());
        }
    }
    let n_before = {
        let mut log = log.lock().unwrap();
        log.push(from.map_or(path.clone(), |from| format!("{path} from {from}")));
        log.len() - 1
    };
    let name = path.rsplit('/').next().unwrap();
    let contents = files.iter().find(|(file, _)| file == name).map(|(_, contents)| contents.clone());
    let Some(mut contents) = contents.filter(|_| manner != Manner::Missing) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    match manner {
        Manner::Lies => contents.reverse(),
        Manner::Page => contents = b"<html>please log in to the hotel's network</html>".to_vec(),
        Manner::RedirectsInALoop => return redirect(&mut stream, &path),
        Manner::Redirects if !path.starts_with("/moved/") => return redirect(&mut stream, &format!("/moved/{name}")),
        Manner::Silent => return pause(&stream),
        Manner::Overloaded if n_before < 2 => {
            return stream.write_all(b"HTTP/1.1 503 Later\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Manner::RefusesRange if from.is_some() => {
            return stream.write_all(b"HTTP/1.1 416 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Manner::Garbled => return stream.write_all(b"\x00\xff\x00 what is this\r\n\r\n"),
        Manner::IgnoresRange => from = None,
        _ => {}
    }
    let body = &contents[from.unwrap_or(0).min(contents.len())..];
    let mut head = match from {
        Some(from) => {
            let said = if manner == Manner::WrongRange { 0 } else { from };
            format!("HTTP/1.1 206 Partial\r\ncontent-range: bytes {said}-{}/{}\r\n", contents.len() - 1, contents.len())
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let without_length = [Manner::SendsMore, Manner::NeverEnds, Manner::EndsEarlyUnannounced];
    if !without_length.contains(&manner) {
        head += &format!("content-length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    match manner {
        Manner::Truncates | Manner::EndsEarlyUnannounced => stream.write_all(&body[..body.len() / 2])?,
        Manner::TruncatesOnce if n_before == 0 => stream.write_all(&body[..body.len() / 2])?,
        Manner::SendsMore => {
            stream.write_all(body)?;
            stream.write_all(body)?;
        }
        Manner::NeverEnds => while stream.write_all(&[7; 1 << 16]).is_ok() {},
        Manner::Stalls => {
            stream.write_all(&body[..10])?;
            return pause(&stream);
        }
        Manner::Drips => {
            for byte in body {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        _ => stream.write_all(body)?,
    }
    stream.shutdown(Shutdown::Both)
}

fn redirect(stream: &mut TcpStream, to: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())
}

/// Keeps a call open without a word.
fn pause(_stream: &TcpStream) -> std::io::Result<()> {
    thread::sleep(Duration::from_secs(60));
    Ok(())
}
