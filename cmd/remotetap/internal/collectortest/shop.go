package collectortest

import "github.com/remotetap/remotetapprocessor/internal/shop"

// Shop makes the telemetry that passes through the collectors. See package shop.
type Shop = shop.Shop

// NewShop is a shop whose times never change: from 2026-01-02T15:04:05Z on.
func NewShop() Shop { return shop.New() }
