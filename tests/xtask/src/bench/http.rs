//! A client for HTTP/1.1 on loopback that keeps its connection, so that what is measured is the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// How long an answer may take; a page of a dump on a busy machine takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    host: String,
}

/// What came back.
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Vec<u8>,
    /// The sequence that the server says the answer shows.
    pub(super) seq: Option<u64>,
}

impl Client {
    /// Connects to a port of this machine.
    pub(super) fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("nothing listens on {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, stream), host: format!("127.0.0.1:{port}") })
    }

    /// Gets a path.
    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    /// Gets a path whose answer must be JSON.
    pub(super) fn json(&mut self, path: &str) -> anyhow::Result<Value> {
        let answer = self.get(path)?;
        ensure!(answer.status == 200, "{path} was answered with {}: {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).with_context(|| format!("{path} was not answered with JSON"))
    }

    /// Sends a request and reads its whole answer.
    pub(super) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.reader.get_mut().write_all(&request)?;
        self.answer().with_context(|| format!("{method} {path}"))
    }

    fn answer(&mut self) -> anyhow::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let Some(status) = status else { bail!("the answer does not begin with a status") };
        let (mut length, mut is_chunked, mut seq) = (None, false, None);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = Some(value.trim().parse::<usize>()?),
                Some(("alidade-seq", value)) => seq = value.trim().parse().ok(),
                Some(("transfer-encoding", value)) => is_chunked = value.trim() == "chunked",
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
                self.read(size, &mut body)?;
                // A line end follows each chunk, the last and empty one too (RFC 9112, section 7.1).
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.read(length.unwrap_or_default(), &mut body)?;
        }
        Ok(Answer { status, body, seq })
    }

    fn read(&mut self, size: usize, body: &mut Vec<u8>) -> anyhow::Result<()> {
        let begun = body.len();
        body.resize(begun + size, 0);
        Ok(self.reader.read_exact(&mut body[begun..])?)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the connection was closed");
        Ok(line.trim_end().to_owned())
    }
}

impl Answer {
    /// Returns the beginning of the body as text, for a message.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(500)]).into_owned()
    }
}

/// Writes text so that it can stand in a query string.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn whole_and_chunked_answers_are_read_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            for answer in [
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
                "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n1;x\r\n!\r\n0\r\n\r\n",
            ] {
                assert!(stream.read(&mut asked).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut client = Client::connect(port).unwrap();
        let (one, two) = (client.get("/1").unwrap(), client.get("/2").unwrap());
        assert_eq!((one.status, one.text().as_str(), two.status, two.text().as_str()), (200, "one", 404, "two!"));
        server.join().unwrap();
    }

    #[test]
    fn what_is_not_plain_is_encoded() {
        assert_eq!(encoded("x-ray é/1 \"a\""), "x-ray%20%C3%A9%2F1%20%22a%22");
    }
}
