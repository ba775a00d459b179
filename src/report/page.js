// SPDX-License-Identifier: GPL-2.0-only
"use strict";
(function () {
	const data = JSON.parse(document.getElementById("data").textContent);
	const STATES = ["private", "shared", "unknown"], TRUST = ["exact", "partial", "stale"];
	const GAP = 8; // where addresses are left out

	function bytes(pages) {
		const units = ["K", "M", "G", "T", "P"];
		let value = pages * 4, unit = 0;
		while (value >= 1024 && unit < 4) { value /= 1024; unit++; }
		return (value < 10 && value % 1 ? value.toFixed(1) : Math.round(value)) + units[unit];
	}
	function exact(pages) {
		const units = ["K", "M", "G", "T", "P"];
		let value = pages * 4, unit = 0;
		if (!value) return "0";
		while (value % 1024 === 0 && unit < 4) { value /= 1024; unit++; }
		return value + units[unit];
	}
	function hex(pages) { return "0x" + (BigInt(pages) * 4096n).toString(16); }
	function since(us) {
		if (us >= 300e6) {
			const s = Math.round(us / 1e6), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
			return "+" + (h ? h + "h " : "") + m + "m " + s % 60 + "s";
		}
		return us >= 1e6 ? "+" + (us / 1e6).toFixed(3) + " s" : us >= 1e3 ? "+" + (us / 1e3).toFixed(1) + " ms" : "+" + us + " us";
	}
	function clock(vm, us) { return new Date(vm.clock + us / 1000).toISOString().slice(11, 23); }

	// A cell as look.c has it: ground, and a mark by its pattern.
	function paint(ctx, look, x, y, w, h) {
		const [, ground, mark, pattern] = data.looks[look];
		ctx.fillStyle = ground;
		ctx.fillRect(x, y, w, h);
		if (!pattern) return;
		ctx.fillStyle = ctx.strokeStyle = mark;
		if (pattern === 1) {
			const m = Math.max(1, Math.round(Math.min(w, h) / 4));
			ctx.fillRect(x + m, y + m, Math.max(1, w - 2 * m), Math.max(1, h - 2 * m));
		} else if (pattern === 2) {
			ctx.lineWidth = Math.max(1, w / 8);
			ctx.beginPath();
			ctx.moveTo(x, y + h);
			ctx.lineTo(x + w, y);
			ctx.stroke();
		} else if (pattern === 3) {
			ctx.fillRect(x, y + Math.floor(h / 2), w, Math.max(1, h / 4));
		} else {
			ctx.fillRect(x, y, w / 2, h / 2);
			ctx.fillRect(x + w / 2, y + h / 2, w / 2, h / 2);
		}
	}

	function Picture(figure, vm) {
		this.figure = figure;
		this.vm = vm;
		this.film = vm.films[0];
		this.canvas = figure.querySelector(".stage canvas");
		this.slider = figure.querySelector("input[type=range]");
		this.cells = vm.segments.reduce((n, s) => n + s[2], 0);
		this.cursor = -1;
		this.gaps = new Map(); // rows before which addresses are left out
		for (let i = 1; i < vm.segments.length; i++) {
			const before = vm.segments[i - 1], end = before[0] + before[2] * 2 ** vm.shift;
			if (vm.segments[i][0] > end) this.gaps.set(vm.segments[i][1] / vm.columns, vm.segments[i][0] - end);
		}
		this.load(0);
		this.listen();
	}

	Picture.prototype = {
		load(at) { // a film, and all cells as they are at its last shot
			this.film = this.vm.films[at];
			this.at = -1;
			this.looks = new Uint8Array(this.cells);
			this.frames = [0, 1, 2, 3].map(() => new Float64Array(this.cells));
			this.when = new Float64Array(this.cells).fill(-1);
			this.slider.max = this.film.shots.length - 1;
			this.go(this.film.shots.length - 1);
		},
		go(to) {
			if (to < this.at) {
				this.at = -1;
				this.looks.fill(0);
				this.frames.forEach((f) => f.fill(0));
				this.when.fill(-1);
			}
			while (this.at < to) this.apply(this.film.shots[++this.at][6]);
			this.slider.value = to;
			this.say();
			this.draw();
		},
		apply(runs) {
			let cell = 0;
			for (let i = 0; i < runs.length; i += 8) {
				cell += runs[i];
				for (let n = runs[i + 1]; n > 0; n--, cell++) {
					this.looks[cell] = runs[i + 2];
					for (let k = 0; k < 4; k++) this.frames[k][cell] = runs[i + 3 + k];
					if (this.at || runs[i + 7] >= 0) this.when[cell] = runs[i + 7] >= 0 ? runs[i + 7] : -2;
				}
			}
		},
		say() {
			const shot = this.film.shots[this.at], diff = this.film.plane === 2;
			const time = since(shot[0]) + ", " + clock(this.vm, shot[0]);
			this.figure.querySelector(".when").textContent = time + " (" + (this.at + 1) + " of " + this.film.shots.length + ")";
			this.slider.setAttribute("aria-valuetext", time);
			const parts = diff ? ["differ " + bytes(shot[4]), "both private " + bytes(shot[1]), "both shared " + bytes(shot[2])]
				: STATES.slice(0, 2).map((s, i) => s + " " + bytes(shot[1 + i]) + " (" + shot[1 + i] + " pages)");
			if (shot[3]) parts.push("unknown " + bytes(shot[3]));
			const sums = this.figure.querySelector(".sums");
			sums.textContent = parts.join(", ") + "; " + TRUST[shot[5]];
			sums.dataset.shared = shot[2];
			this.tell();
		},
		size() {
			const room = this.figure.clientWidth, labels = room > 560 ? 108 : 0;
			const cell = Math.max(2, Math.min(14, Math.floor((room - labels) / this.vm.columns)));
			return { labels, cell, width: labels + cell * this.vm.columns + 1, height: cell * this.vm.rows + GAP * this.gaps.size + 1 };
		},
		top(row) { // of a row, in pixels
			let y = row * this.box.cell;
			this.gaps.forEach((n, before) => { if (before <= row) y += GAP; });
			return y;
		},
		gfn(cell) {
			const s = this.vm.segments.find((each) => cell < each[1] + each[2]);
			return s[0] + (cell - s[1]) * 2 ** this.vm.shift;
		},
		draw() {
			const ctx = this.canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
			const box = this.box = this.size(), style = getComputedStyle(document.body);
			const soft = style.getPropertyValue("--soft"), paper = style.getPropertyValue("--paper"), ink = style.getPropertyValue("--ink");
			this.canvas.width = box.width * ratio;
			this.canvas.height = box.height * ratio;
			this.canvas.style.width = box.width + "px";
			this.canvas.style.height = box.height + "px";
			ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
			ctx.fillStyle = paper;
			ctx.fillRect(0, 0, box.width, box.height);
			const line = box.cell > 4 ? 1 : 0;
			for (let i = 0; i < this.cells; i++) {
				if (!this.looks[i]) continue;
				const x = box.labels + i % this.vm.columns * box.cell, y = this.top(Math.floor(i / this.vm.columns));
				paint(ctx, this.looks[i], x, y, box.cell - line, box.cell - line);
			}
			ctx.font = "11px ui-monospace, monospace";
			ctx.textBaseline = "top";
			ctx.textAlign = "right";
			const every = Math.max(1, Math.ceil(13 / box.cell));
			for (let row = 0, last = -99; row < this.vm.rows && box.labels; row++) {
				const y = this.top(row);
				if (row % (every < 4 ? 4 : every) && !this.gaps.has(row) || y - last < 13) continue;
				last = y;
				ctx.fillStyle = soft;
				ctx.fillText(hex(this.gfn(row * this.vm.columns)), box.labels - 8, y);
			}
			ctx.strokeStyle = soft;
			ctx.setLineDash([2, 3]);
			ctx.lineWidth = 1;
			this.gaps.forEach((n, row) => {
				const y = this.top(row) - GAP / 2 - 0.5;
				ctx.beginPath();
				ctx.moveTo(box.labels, y);
				ctx.lineTo(box.width, y);
				ctx.stroke();
			});
			ctx.setLineDash([]);
			if (this.cursor < 0) return;
			ctx.strokeStyle = ink;
			ctx.lineWidth = 2;
			ctx.strokeRect(box.labels + this.cursor % this.vm.columns * box.cell, this.top(Math.floor(this.cursor / this.vm.columns)),
				box.cell, box.cell);
		},
		cellAt(x, y) {
			const column = Math.floor((x - this.box.labels) / this.box.cell);
			for (let row = 0; row < this.vm.rows; row++)
				if (y >= this.top(row) && y < this.top(row) + this.box.cell && column >= 0 && column < this.vm.columns) {
					const cell = row * this.vm.columns + column;
					return cell < this.cells ? cell : -1;
				}
			return -1;
		},
		tell() { // of the cell at the cursor, and the run of cells like it
			const box = this.figure.querySelector(".cell"), cell = this.cursor, vm = this.vm;
			if (cell < 0) return;
			const s = vm.segments.find((each) => cell < each[1] + each[2]), name = data.looks[this.looks[cell]][0];
			let from = cell, to = cell;
			while (from > s[1] && this.looks[from - 1] === this.looks[cell]) from--;
			while (to + 1 < s[1] + s[2] && this.looks[to + 1] === this.looks[cell]) to++;
			const pages = 2 ** vm.shift, gfn = this.gfn(cell), names = this.film.plane === 2 ? ["both private", "both shared", "unknown", "differ"] : STATES;
			const parts = names.map((n, i) => [n, this.frames[i][cell]]).filter((p) => p[1]).map((p) => p[0] + " " + exact(p[1]));
			const when = this.when[cell];
			const lines = ["Range " + hex(this.gfn(from)) + "+" + exact((to - from + 1) * pages) + ": " + name,
				"Cell " + hex(gfn) + "+" + exact(pages) + ": " + (parts.join(", ") || "no memory"),
				"Last change: " + (when >= 0 ? "about " + since(when) + ", " + clock(vm, when) : when === -1 ? "none was seen" : "not known when")];
			if (this.at === this.film.shots.length - 1 && this.film.plane === 0) {
				const inside = vm.ranges.filter((r) => r[0] < gfn + pages && r[0] + r[1] > gfn);
				if (inside.length)
					lines.push("Exactly: " + inside.slice(0, 4).map((r) => hex(r[0]) + "+" + exact(r[1]) + " " + STATES[r[2]]).join("; ") +
						(inside.length > 4 ? "; and " + (inside.length - 4) + " more" : "") + (vm.all ? "" : " (not all are listed)"));
			}
			box.textContent = lines.join("\n");
		},
		point(cell) {
			if (cell === this.cursor || cell >= this.cells || cell < 0) return;
			this.cursor = cell;
			this.tell();
			this.draw();
		},
		listen() {
			const at = (event) => {
				const rect = this.canvas.getBoundingClientRect();
				this.point(this.cellAt(event.clientX - rect.left, event.clientY - rect.top));
			};
			this.canvas.addEventListener("pointermove", at);
			this.canvas.addEventListener("pointerdown", at);
			this.canvas.addEventListener("keydown", (event) => {
				const c = this.vm.columns, step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -c, ArrowDown: c }[event.key];
				const to = event.key === "Home" ? 0 : event.key === "End" ? this.cells - 1 : step ? Math.max(0, this.cursor) + (this.cursor < 0 ? 0 : step) : -1;
				if (step === undefined && to < 0) return;
				event.preventDefault();
				this.point(to);
			});
			this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
			this.figure.querySelectorAll(".planes input").forEach((radio) => radio.addEventListener("change", () => {
				this.load(Number(radio.value));
				this.legend();
			}));
			const play = this.figure.querySelector(".play");
			play.hidden = this.film.shots.length < 3;
			play.addEventListener("click", () => {
				if (this.timer) { this.stop(play); return; }
				if (this.at === this.film.shots.length - 1) this.go(0);
				play.textContent = "\u23f8";
				play.setAttribute("aria-label", "Pause");
				this.timer = setInterval(() => {
					if (this.at >= this.film.shots.length - 1) this.stop(play);
					else this.go(this.at + 1);
				}, 120);
			});
			this.legend();
		},
		stop(play) {
			clearInterval(this.timer);
			this.timer = 0;
			play.textContent = "\u25b6";
			play.setAttribute("aria-label", "Play");
		},
		legend() {
			const used = new Set(), box = this.figure.querySelector(".looks");
			this.film.shots.forEach((shot) => { for (let i = 2; i < shot[6].length; i += 8) used.add(shot[6][i]); });
			box.replaceChildren(...[...used].filter((l) => l).sort((a, b) => a - b).map((look) => {
				const item = document.createElement("span"), swatch = document.createElement("canvas");
				swatch.width = swatch.height = 14;
				swatch.setAttribute("aria-hidden", "true");
				paint(swatch.getContext("2d"), look, 0, 0, 14, 14);
				item.append(swatch, data.looks[look][0]);
				return item;
			}));
		},
	};

	const pictures = [];
	document.querySelectorAll("figure.map").forEach((figure) => {
		const vm = data.vms.find((each) => each.id === Number(figure.dataset.vm));
		if (vm && vm.films.length) pictures.push(new Picture(figure, vm));
	});
	const redraw = () => pictures.forEach((picture) => picture.draw());
	window.addEventListener("resize", redraw);
	window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
	window.addEventListener("beforeprint", () => document.querySelectorAll(".chart details").forEach((d) => { d.open = false; }));
	window.addEventListener("hashchange", () => { // to a finding: show what is in it
		const details = document.getElementById(location.hash.slice(1));
		if (details && details.matches("li")) { const d = details.querySelector("details"); if (d) d.open = true; }
	});
})();
