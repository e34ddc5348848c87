//! Subtitles of sounds on the command line: to standard output, to a file, to a file per sound.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Files, Ran, end_of, golden, interrupt, program, run};

/// What Python's pipeline gives for a sound in a case of this checkpoint.
fn python(checkpoint: &str, case: &str, sound: &str) -> Value {
    let path = golden(&format!("cases/automatic-speech-recognition/{checkpoint}.json"));
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let case = cases.iter().find(|found| found["name"] == case).unwrap();
    let at = case["inputs"].as_array().unwrap().iter().position(|input| input == &format!("media/{sound}"));
    case["expected"][at.unwrap()].clone()
}

/// Some of Python's chunks as they are expected in a cue: their texts in one, and in thousandths of a second when
/// they begin and end. A last end that the model did not say is three seconds after the beginning.
fn cue(chunks: &[Value], glue: &str) -> (u64, u64, String) {
    let thousandths = |seconds: &Value| seconds.as_f64().map(|seconds| (seconds * 1000.0).round() as u64);
    let start = thousandths(&chunks[0]["timestamp"][0]).unwrap();
    let end = thousandths(&chunks.last().unwrap()["timestamp"][1]).unwrap_or(start + 3000);
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
    (start, end, texts.join(glue).trim().to_owned())
}

/// The cues, all within the first minute, as a file of subtitles has them.
fn srt(cues: &[(u64, u64, String)]) -> String {
    let time = |time: u64| format!("00:00:{:02},{:03}", time / 1000, time % 1000);
    let cue = |(at, (start, end, text)): (usize, &(u64, u64, String))| {
        format!("{}\n{} --> {}\n{text}\n\n", at + 1, time(*start), time(*end))
    };
    cues.iter().enumerate().map(cue).collect()
}

/// The same for the web.
fn vtt(cues: &[(u64, u64, String)]) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let cues: Vec<_> = cues.iter().map(|(start, end, text)| (*start, *end, escaped(text))).collect();
    let lines = srt(&cues)
        .lines()
        .map(|line| match line.contains(" --> ") {
            true => line.replace(',', ".") + "\n",
            false => line.to_owned() + "\n",
        })
        .collect::<String>();
    format!("WEBVTT\n\n{lines}")
}

/// Recognises speech with a model of the goldens.
fn listen(checkpoint: &str, arguments: &[&str]) -> Ran {
    let model = golden(&format!("models/{checkpoint}"));
    run(&[&["run", "automatic-speech-recognition", "--model", &model], arguments].concat())
}

/// Checks that a run went well and said nothing but this.
fn gave(ran: &Ran, out: &str) {
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), out, ""));
}

/// The words of the longer of two sounds are two cues; the shorter has one word.
fn ctc_cues() -> [Vec<(u64, u64, String)>; 2] {
    let long = python("wav2vec2-ctc", "word", "voice.wav")["chunks"].as_array().unwrap().clone();
    let short = python("wav2vec2-ctc", "word", "voice-short.wav")["chunks"].as_array().unwrap().clone();
    [long.iter().map(|word| cue(std::slice::from_ref(word), " ")).collect(), vec![cue(&short, " ")]]
}

#[test]
fn words_of_ctc_models_are_joined() {
    let [long, short] = ctc_cues();
    assert_eq!(long.len(), 2);
    gave(&listen("wav2vec2-ctc", &["--format", "srt", &golden("media/voice.wav")]), &srt(&long));
    gave(&listen("wav2vec2-ctc", &["--format", "vtt", &golden("media/voice.wav")]), &vtt(&long));
    let path = golden("media/voice-short.wav");
    gave(&listen("wav2vec2-ctc", &["--format", "srt", &path]), &srt(&short));
    let null = r#"{"return_timestamps": null}"#;
    gave(&listen("wav2vec2-ctc", &["--format", "srt", "--params", null, &path]), &srt(&short));

    // The first six words have 83 characters with their spaces; the last word would be too much.
    let words = python("wav2vec2-ctc", "word", "voice-long.flac")["chunks"].as_array().unwrap().clone();
    let length = |count: usize| cue(&words[..count], " ").2.chars().count();
    assert!(length(6) <= 84 && length(7) > 84);
    let expected = srt(&[cue(&words[..6], " "), cue(&words[6..], " ")]);
    gave(&listen("wav2vec2-ctc", &["--format", "srt", &golden("media/voice-long.flac")]), &expected);
}

#[test]
fn whisper_gives_parts_and_words() {
    for sound in ["voice.wav", "voice-short.wav"] {
        let path = golden(&format!("media/{sound}"));
        let parts = python("whisper-speech", "timestamps", sound)["chunks"].as_array().unwrap().clone();
        let parts = [cue(&parts, "")];
        gave(&listen("whisper-speech", &["--format", "srt", &path]), &srt(&parts));
        gave(&listen("whisper-speech", &["--format", "vtt", &path]), &vtt(&parts));
        // Whisper's words carry their spaces.
        let words = python("whisper-speech", "words", sound);
        let expected = [cue(words["chunks"].as_array().unwrap(), "")];
        assert_eq!(words["text"].as_str().unwrap().trim(), expected[0].2);
        let params = r#"{"return_timestamps": "word"}"#;
        gave(&listen("whisper-speech", &["--format", "srt", "--params", params, &path]), &srt(&expected));
    }
}

#[test]
fn a_file_gets_subtitles_by_its_name() {
    let files = Files::new();
    let (output, path) = (files.path("talk.vtt"), golden("media/voice.wav"));
    gave(&listen("wav2vec2-ctc", &["--output", &output, &path]), "");
    assert_eq!(files.read("talk.vtt"), vtt(&ctc_cues()[0]));

    // A run that fails keeps what is there, and one that can do nothing leaves nothing.
    let broken = files.write("broken.wav", "no sound");
    for on_error in ["stop", "skip"] {
        for name in ["talk.vtt", "new.srt"] {
            let ran =
                listen("wav2vec2-ctc", &["--on-error", on_error, "--output", &files.path(name), &broken]);
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
            assert!(ran.err.contains("broken.wav"), "{}", ran.err);
        }
    }
    assert_eq!(files.read("talk.vtt"), vtt(&ctc_cues()[0]));
    assert_eq!(sorted(files.names()), ["broken.wav", "talk.vtt"]);
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn a_folder_gets_a_file_per_sound() {
    let [long, short] = ctc_cues();
    let files = Files::new();
    for (place, sound) in [("a", "voice.wav"), ("b", "voice-short.wav")] {
        fs::create_dir(files.path(place)).unwrap();
        fs::copy(golden(&format!("media/{sound}")), files.path(&format!("{place}/talk.wav"))).unwrap();
    }
    fs::rename(files.path("b/talk.wav"), files.path("b/Talk.wav")).unwrap();
    let (first, second) = (files.path("a/talk.wav"), files.path("b/Talk.wav"));
    let folder = files.path("new/subtitles");
    gave(&listen("wav2vec2-ctc", &["--format", "srt", "--output-dir", &folder, &first, &second]), "");
    assert_eq!(files.read("new/subtitles/talk.srt"), srt(&long));
    assert_eq!(files.read("new/subtitles/Talk-2.srt"), srt(&short));

    let list = [json!({"path": first}), json!({"path": second, "id": 7})];
    let list = files.write("list.jsonl", list.map(|row| row.to_string()).join("\n"));
    let folder = files.path("listed");
    gave(&listen("wav2vec2-ctc", &["--format", "vtt", "--output-dir", &folder, "--inputs", &list]), "");
    assert_eq!(files.read("listed/talk.vtt"), vtt(&long));
    assert_eq!(files.read("listed/Talk-2.vtt"), vtt(&short));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[test]
fn a_sound_that_fails_costs_only_itself_or_ends_the_run() {
    let [long, short] = ctc_cues();
    let files = Files::new();
    let broken = files.write("broken.wav", "no sound");
    let sounds = [golden("media/voice.wav"), broken, golden("media/voice-short.wav")];
    let listen = |folder: &str, on_error: &str| {
        let start = ["--format", "srt", "--output-dir", folder, "--on-error", on_error];
        listen("wav2vec2-ctc", &[&start[..], &sounds.each_ref().map(String::as_str)].concat())
    };
    let stopped = files.path("stopped");
    listen(&stopped, "stop").was_refused(&[
        "input 2",
        "broken.wav",
        "the 1 input before it are in",
        "/stopped`",
    ]);
    assert_eq!(files.read("stopped/voice.srt"), srt(&long));
    assert_eq!(fs::read_dir(&stopped).unwrap().count(), 1);

    let skipped = files.path("skipped");
    let ran = listen(&skipped, "skip");
    let errors: Vec<&str> = ran.err.lines().collect();
    assert_eq!((ran.code, ran.out.as_str(), errors.len()), (Some(2), "", 2), "{ran:?}");
    assert!(errors[0].starts_with("skipped: input 2") && errors[0].contains("broken.wav"), "{ran:?}");
    assert_eq!(errors[1], "error: 1 of 3 inputs failed");
    assert_eq!(files.read("skipped/voice.srt"), srt(&long));
    assert_eq!(files.read("skipped/voice-short.srt"), srt(&short));

    // So does a file that cannot be written.
    fs::create_dir_all(files.path("taken/voice.srt")).unwrap();
    let taken = files.path("taken");
    listen(&taken, "stop").was_refused(&["input 1", "cannot write", "voice.srt"]);
    let ran = listen(&taken, "skip");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.ends_with("error: 2 of 3 inputs failed\n"), "{}", ran.err);
    assert_eq!(files.read("taken/voice-short.srt"), srt(&short));
}

#[test]
fn subtitles_that_cannot_be_are_refused_and_leave_nothing() {
    let files = Files::new();
    let (file, folder, voice) = (files.path("new.srt"), files.path("new/folder"), golden("media/voice.wav"));
    let text = ["run", "ner", "--model", "bundled", "I am Sarah Connor."];
    let speech = ["run", "automatic-speech-recognition", "--model", "/no/such/model", &voice];
    let to_file = ["--output", &file];
    let to_folder = ["--format", "srt", "--output-dir", &folder];
    let no_times = ["--params", r#"{"return_timestamps": false}"#];
    let letters = ["--params", r#"{"return_timestamps": "char"}"#];
    let cases: [(&[&[&str]], &[&str]); 9] = [
        (&[&text, &["--format", "srt"]], &["gives no times"]),
        (&[&text, &to_file], &["gives no times"]),
        (&[&text, &to_folder], &["gives no times"]),
        (&[&text, &["--output-dir", &folder]], &["`--output-dir`", "`--format srt`"]),
        // Before a model is loaded.
        (&[&speech, &to_file, &no_times], &["subtitles need times; leave out `return_timestamps`"]),
        (&[&speech, &to_folder, &letters], &["`char` gives no subtitles; take `word`"]),
        (&[&speech, &to_file, &[&voice]], &["subtitles of several inputs", "`--output-dir`"]),
        (&[&speech, &to_folder], &["/no/such/model"]),
        (&[&speech, &to_file], &["/no/such/model"]),
    ];
    for (arguments, parts) in cases {
        run(&arguments.concat()).was_refused(parts);
        assert!(files.names().is_empty(), "{:?} after {arguments:?}", files.names());
    }
    let taken = files.write("taken", "");
    run(&[&speech[..], &["--format", "srt", "--output-dir", &taken]].concat())
        .was_refused(&["it is no folder"]);
}

#[test]
fn ctrl_c_names_the_folder_of_what_is_done() {
    let files = Files::new();
    let row = json!(golden("media/voice-short.wav")).to_string() + "\n";
    let list = files.write("list.jsonl", row.repeat(20_000));
    let (model, folder) = (golden("models/wav2vec2-ctc"), files.path("subtitles"));
    let start = ["run", "automatic-speech-recognition", "--model", &model, "--inputs", &list];
    let mut command = program(&[&start[..], &["--format", "srt", "--output-dir", &folder]].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while fs::metadata(files.path("subtitles/voice-short-2.srt")).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no subtitles come");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    let (code, error) = end_of(child);
    assert_eq!(code, Some(130), "{error}");
    assert!(error.starts_with("interrupted after ") && error.ends_with("/subtitles`\n"), "{error}");
}
