#!/usr/bin/env python3
"""Times the released F1 layout in eager PyTorch: what `f1 bench` is compared with on a GPU.

Random weights, one observation, steady state (one new history frame): image tower, history frame,
prefix, scales, flow steps. Only the operations of the network, as a plain PyTorch module has them:
no compile, no graphs, attention by matrix products and a softmax in f32.

    python3 scripts/torch_eager.py --device cuda --dtype bf16 --runs 100
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

SIZES = {
    "released": dict(
        vision=(1152, 4304, 27, 16, 224, 14),
        und=(2048, 16384),
        small=(1024, 4096),
        layers=18,
        heads=8,
        width=256,
        prompt=48,
        scales=[1, 2, 3, 4, 5, 6, 8, 10, 13, 16],
        generated=4,
        codes=32,
        vocabulary=4096,
        ch=160,
        mult=[1, 1, 2, 2, 4],
        blocks=2,
        chunk=50,
        steps=10,
    ),
    "tiny": dict(
        vision=(32, 64, 2, 4, 28, 14),
        und=(64, 128),
        small=(32, 64),
        layers=2,
        heads=4,
        width=16,
        prompt=6,
        scales=[1, 2, 3],
        generated=2,
        codes=8,
        vocabulary=64,
        ch=32,
        mult=[1, 2],
        blocks=1,
        chunk=5,
        steps=2,
    ),
}


class Linear:
    def __init__(self, make, inputs, outputs, bias=False):
        self.weight = make(outputs, inputs) * inputs**-0.5
        self.bias = make(outputs) if bias else None

    def __call__(self, x):
        return F.linear(x, self.weight, self.bias)


def rms_norm(x, weight):
    wide = x.float()
    return (
        wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + weight.float())
    ).to(x.dtype)


def rope(x, positions):
    half = x.shape[-1] // 2
    periods = 10000 ** (torch.arange(half, device=x.device, dtype=torch.float32) * 2 / x.shape[-1])
    angles = (positions[:, None].float() / periods)[None, :, None, :]
    cos, sin, wide = angles.cos(), angles.sin(), x.float()
    a, b = wide[..., :half], wide[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)


def attend(query, key, value):
    """[1, tokens, heads, width], one key head."""
    heads = query.shape[2]
    query, key, value = (
        t.transpose(1, 2)
        for t in (query, key.expand(-1, -1, heads, -1), value.expand(-1, -1, heads, -1))
    )
    scores = (query @ key.transpose(2, 3)).float() * query.shape[-1] ** -0.5
    out = scores.softmax(-1).to(value.dtype) @ value
    return out.transpose(1, 2).flatten(2)


class Layer:
    def __init__(self, make, size, heads, width):
        hidden, mlp = size
        self.norms = make(hidden), make(hidden)
        self.q, self.k, self.v = (Linear(make, hidden, n * width) for n in (heads, 1, 1))
        self.o = Linear(make, heads * width, hidden)
        self.gate, self.up, self.down = (
            Linear(make, hidden, mlp),
            Linear(make, hidden, mlp),
            Linear(make, mlp, hidden),
        )
        self.heads, self.width = heads, width

    def project(self, x):
        x = rms_norm(x, self.norms[0])
        shape = (1, x.shape[1], -1, self.width)
        return self.q(x).view(shape), self.k(x).view(shape), self.v(x).view(shape)

    def finish(self, x, attended):
        x = x + self.o(attended)
        y = rms_norm(x, self.norms[1])
        return x + self.down(F.gelu(self.gate(y), approximate="tanh") * self.up(y))


class Model:
    def __init__(self, s, make):
        self.s = s
        hidden, mlp, layers, heads, side, patch = s["vision"]
        self.patch = make(hidden, 3, patch, patch) * 0.01
        self.places = make(1, (side // patch) ** 2, hidden)
        self.tower = [
            [
                Linear(make, a, b, True)
                for a, b in [(hidden, hidden)] * 4 + [(hidden, mlp), (mlp, hidden)]
            ]
            for _ in range(layers)
        ]
        self.tower_norms = [(make(hidden), make(hidden)) for _ in range(2 * layers + 1)]
        self.projector = Linear(make, hidden, s["und"][0], True)
        stack = lambda size: [Layer(make, size, s["heads"], s["width"]) for _ in range(s["layers"])]
        self.und, self.gen, self.act = stack(s["und"]), stack(s["small"]), stack(s["small"])
        narrow = s["small"][0]
        self.embed, self.head = (
            Linear(make, s["codes"], narrow, True),
            Linear(make, narrow, s["vocabulary"], True),
        )
        self.actions = (
            Linear(make, 32, narrow, True),
            Linear(make, 2 * narrow, narrow, True),
            Linear(make, narrow, narrow, True),
        )
        self.velocity = Linear(make, narrow, 32, True)
        self.encoder = []
        channels = s["ch"]
        self.stem = make(channels, 3, 3, 3) * 0.1
        for level, mult in enumerate(s["mult"]):
            for _ in range(s["blocks"]):
                wide = s["ch"] * mult
                first, second = make(wide, channels, 3, 3) * 0.02, make(wide, wide, 3, 3) * 0.02
                short = make(wide, channels, 1, 1) * 0.1 if wide != channels else None
                self.encoder.append(("block", first, second, short))
                channels = wide
            if level + 1 < len(s["mult"]):
                self.encoder.append(("down", make(channels, channels, 3, 3) * 0.02))
        self.last = make(s["codes"], channels, 3, 3) * 0.02
        self.book = make(s["vocabulary"], s["codes"])

    def images(self, x):
        hidden, _, _, heads, _, patch = self.s["vision"]
        x = F.conv2d(x, self.patch, stride=patch).flatten(2).transpose(1, 2) + self.places
        norms = iter(self.tower_norms)
        norm = lambda x: F.layer_norm(x, (hidden,), *next(norms))
        for q, k, v, o, up, down in self.tower:
            y = norm(x)
            split = lambda t: t.unflatten(2, (heads, -1)).transpose(1, 2)
            query, key, value = split(q(y)), split(k(y)), split(v(y))
            scores = (query @ key.transpose(2, 3)).float() * query.shape[-1] ** -0.5
            x = x + o((scores.softmax(-1).to(x.dtype) @ value).transpose(1, 2).flatten(2))
            x = x + down(F.gelu(up(norm(x)), approximate="tanh"))
        return self.projector(norm(x)).flatten(0, 1)[None]

    def frame(self, x):
        swish = lambda x: F.silu(F.group_norm(x, 32))
        x = F.conv2d(x, self.stem, padding=1)
        for kind, *weights in self.encoder:
            if kind == "down":
                x = F.conv2d(F.pad(x, (0, 1, 0, 1)), weights[0], stride=2)
            else:
                y = F.conv2d(
                    swish(F.conv2d(swish(x), weights[0], padding=1)), weights[1], padding=1
                )
                x = (x if weights[2] is None else F.conv2d(x, weights[2])) + y
        f = F.conv2d(swish(x), self.last, padding=1).float()
        rest, out = f, torch.zeros_like(f)
        for side in self.s["scales"]:
            small = F.interpolate(rest, size=(side, side), mode="area").flatten(2).transpose(1, 2)
            ids = torch.cdist(small, self.book.float()[None]).argmin(-1)
            found = self.book.float()[ids].transpose(1, 2).unflatten(2, (side, side))
            step = F.interpolate(found, size=f.shape[2:], mode="bicubic")
            rest, out = rest - step, out + step
        return out

    def through(self, streams, caches, start):
        """One pass of (layers, hidden) streams after the cached keys; returns the hidden states."""
        total = sum(x.shape[1] for _, x in streams)
        positions = torch.arange(start, start + total, device=streams[0][1].device)
        for index in range(self.s["layers"]):
            parts = [layers[index].project(x) for layers, x in streams]
            query, key, value = (torch.cat([part[n] for part in parts], 1) for n in range(3))
            query, key = rope(query, positions), rope(key, positions)
            if caches[index] is not None:
                key, value = (
                    torch.cat([caches[index][0], key], 1),
                    torch.cat([caches[index][1], value], 1),
                )
            joined = (key, value)
            attended, at = attend(query, key, value), 0
            for n, (layers, x) in enumerate(streams):
                streams[n] = (layers, layers[index].finish(x, attended[:, at : at + x.shape[1]]))
                at += x.shape[1]
            caches[index] = joined
        return [x for _, x in streams]

    def observe(self, cameras, frame, prompt, history, noise):
        s, dtype = self.s, prompt.dtype
        und = torch.cat([self.images(cameras), prompt], 1)
        self.frame(frame)
        caches = [None] * s["layers"]
        hidden = self.through([(self.und, und), (self.gen, self.embed(history))], caches, 0)[1][
            :, -1:
        ]
        length = und.shape[1] + history.shape[1]
        for side in s["scales"][1 : s["generated"]] + [None]:
            ids = self.head(hidden.to(dtype)).float().argmax(-1)
            if side is None:
                break
            vectors = self.book[ids[:, :1]].expand(-1, side * side, -1)
            hidden = self.through([(self.gen, self.embed(vectors))], caches, length)[0]
            length += side * side
        x = noise
        for step in range(s["steps"]):
            embedded = self.actions[0](x)
            embedded = self.actions[2](
                F.silu(
                    self.actions[1](torch.cat([embedded, embedded * (1 - step / s["steps"])], -1))
                )
            )
            out = self.through([(self.act, embedded)], list(caches), length)[0]
            x = x - self.velocity(out) / s["steps"]
        return x[:, 1:].float().cpu()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f32"])
    parser.add_argument("--size", default="released", choices=sorted(SIZES))
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--runs", type=int, default=100)
    args = parser.parse_args()
    s, dtype = SIZES[args.size], {"bf16": torch.bfloat16, "f32": torch.float32}[args.dtype]
    torch.manual_seed(0)
    make = lambda *shape: torch.randn(*shape, device=args.device).to(dtype)
    with torch.inference_mode():
        model = Model(s, make)
        side = s["vision"][4]
        frame_side = s["scales"][-1] * 2 ** (len(s["mult"]) - 1)
        tokens = sum(n * n for n in s["scales"])
        # On the host, as a camera driver gives them.
        inputs = torch.randn(args.cameras, 3, side, side), torch.randn(1, 3, frame_side, frame_side)
        prompt, history = make(1, s["prompt"], s["und"][0]), make(1, tokens, s["codes"])
        times = []
        for _ in range(args.runs + 5):
            begin = time.perf_counter()
            on_device = [image.to(args.device).to(dtype) for image in inputs]
            model.observe(*on_device, prompt, history, make(1, s["chunk"] + 1, 32))
            times.append(1e3 * (time.perf_counter() - begin))
        times = sorted(times[5:])
    print(
        json.dumps(
            {
                "median_ms": statistics.median(times),
                "least_ms": times[0],
                "runs": args.runs,
                "device": args.device,
            }
        )
    )


if __name__ == "__main__":
    main()
