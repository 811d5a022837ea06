#!/usr/bin/env node
import '../dist/program/begin.cjs';
