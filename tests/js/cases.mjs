// Cases written by tests/unit/test_widgets.py: inputs with the answers of Python.
import { readFileSync } from "node:fs";

export const cases = process.env.HCG_CASES ? JSON.parse(readFileSync(process.env.HCG_CASES, "utf8")) : null;
export const skip = cases ? false : "set HCG_CASES: run by pytest tests/unit/test_widgets.py";
