// llama.cpp as a peer of `cargo xtask bench --peers`: node generate.mjs MODEL PROMPT NEW_TOKENS RUNS THREADS
//
// By the prebuilt libraries of node-llama-cpp, which come in a variant for every kind of processor. The models have
// no vocabulary here: the word `wN` is token N. Measured and printed as `generation.py` does.

import {readFileSync} from "node:fs";
import path from "node:path";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [folder, prompt, newTokens, runs, threads] = process.argv.slice(2);
const tokens = readFileSync(prompt, "utf8").trim().split(" ").map((word) => Number(word.slice(1)));

const start = performance.now();
const llama = await getLlama({
    gpu: false, build: "never", maxThreads: Number(threads), logLevel: LlamaLogLevel.error, progressLogs: false,
});
const model = await llama.loadModel({modelPath: path.resolve(folder, "model.gguf"), gpuLayers: 0});
const context = await model.createContext({
    contextSize: tokens.length + Number(newTokens), batchSize: 512,
    threads: {ideal: Number(threads), min: Number(threads)},
});
const sequence = context.getSequence();
const load = performance.now() - start;

async function once(count) {
    const start = performance.now();
    await sequence.clearHistory();
    const written = [];
    for await (const token of sequence.evaluate(tokens, {temperature: 0, yieldEogToken: true})) {
        written.push(token);
        if (written.length === count)
            break;
    }
    return [performance.now() - start, written];
}

async function median(count) {
    const times = [];
    for (let run = 0; run < Number(runs); run++)
        times.push((await once(count))[0]);
    return times.sort((left, right) => left - right)[Math.floor(times.length / 2)];
}

const [first, written] = await once(Number(newTokens));
const whole = await median(Number(newTokens));
const one = await median(1);
// In kilobytes.
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
console.log(JSON.stringify({
    "peer": "llama.cpp",
    "about": `llama.cpp ${llama.llamaCppRelease.release}, ${llama.systemInfo}`,
    "load_ms": load,
    "first_ms": first,
    "latency_ms": {"p50": whole},
    "first_token_ms": one,
    "prompt_tokens_per_s": tokens.length / one * 1e3,
    "new_tokens_per_s": (written.length - 1) / (whole - one) * 1e3,
    "new_tokens": written.length,
    "generated_token_ids": written,
    "peak_memory_bytes": peak * 1024,
}));
process.exit(0);
