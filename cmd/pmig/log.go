package main

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger writes the structured log to stderr.
func (a *app) logger() *zap.Logger {
	level, err := zapcore.ParseLevel(a.flags.LogLevel)
	if err != nil {
		level = zapcore.InfoLevel
	}
	cfg := zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", MessageKey: "msg", NameKey: "logger",
		EncodeTime: zapcore.RFC3339TimeEncoder, EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder, ConsoleSeparator: " ",
	}
	enc := zapcore.NewConsoleEncoder(cfg)
	if a.flags.LogFormat == "json" {
		enc = zapcore.NewJSONEncoder(cfg)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(writeSyncer{a.stderr}), level))
}

type writeSyncer struct{ io.Writer }

func (writeSyncer) Sync() error { return nil }
