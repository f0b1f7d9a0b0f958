"""The server that `throughput.py` compares with: FastAPI and uvicorn around the `generate` of transformers.

    python tests/serve/peer.py served/compiled/snips --port 8099 --threads 2

It is written as one would for production on a CPU. Requests that wait become one batch of up to `--batch` texts; a batch waits up
to five milliseconds to fill; one thread generates while the event loop reads further requests; PyTorch runs in inference mode
with the attention that transformers chooses; there is one process, since several would share the same cores; no access log.

Alike: the same T5 (shape, weights), the same sentences as the same source text `<extra_id_0> word ..`, the same number of threads, greedy
decoding, tokenizing and decoding of tokens in the server.

Not alike: it leaves out the adapters and generates no weights for tasks, it does not make tags and offsets of what was written, and
it computes in `f32` unless `--dtype int8` asks for PyTorch's dynamic int8 maps. All of this makes it faster or is what people
run. A model with random weights never writes `</s>`, so a request says how many tokens its answer has, and a batch ends with its
longest answer, as it would with a trained model.
"""
import argparse
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

WAIT = 0.005


class LabelRequest(BaseModel):
    text: str
    tokens: int


class Batcher:
    """Collects requests and generates for them together."""

    def __init__(self, folder, most, dtype):
        self.most, self.queue = most, asyncio.Queue()
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>",
                                                 eos_token="</s>", unk_token="<unk>")
        self.model = T5ForConditionalGeneration(T5Config.from_json_file(folder / "config.json")).eval()
        missing, _ = self.model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}
        assert set(missing) <= tied, missing
        self.model.tie_weights()
        self.model.generation_config.decoder_start_token_id = 0
        if dtype == "int8":
            self.model = torch.ao.quantization.quantize_dynamic(self.model, {torch.nn.Linear}, dtype=torch.qint8)
        self.thread = ThreadPoolExecutor(1)

    async def label(self, request):
        answer = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((request, answer))
        return await answer

    async def work(self):
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.queue.get()]
            if self.queue.qsize() < self.most - 1:
                await asyncio.sleep(WAIT)
            while len(batch) < self.most and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                texts = await loop.run_in_executor(self.thread, self.generate, [request for request, _ in batch])
                for (_, answer), text in zip(batch, texts):
                    if not answer.done():
                        answer.set_result({"text": text, "batch": len(batch)})
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)

    @torch.inference_mode()
    def generate(self, requests):
        numbered = lambda words: " ".join(f"<extra_id_{i}> {w}" for i, w in enumerate(words)) + f" <extra_id_{len(words)}>"
        inputs = self.tokenizer([numbered(request.text.split()) for request in requests], padding=True, return_tensors="pt")
        tokens = max(request.tokens for request in requests)
        ids = self.model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                                  min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False, num_beams=1)
        assert ids.shape[1] == tokens + 1, ids.shape
        return self.tokenizer.batch_decode(ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a compiled folder")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--dtype", choices=["f32", "int8"], default="f32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    batcher = Batcher(args.model, args.batch, args.dtype)

    @asynccontextmanager
    async def life(_):
        work = asyncio.create_task(batcher.work())
        yield
        work.cancel()

    app = FastAPI(lifespan=life)

    @app.get("/ready")
    async def ready():
        return {"status": "ready"}

    @app.post("/label")
    async def label(request: LabelRequest):
        return await batcher.label(request)

    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
