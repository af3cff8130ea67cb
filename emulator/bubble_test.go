package emulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// The profile of the platform takes its times.
func TestProfileTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		knobs, err := emulator.ProfileKnobs("planetscale")
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, memory, func(o *emulator.Options) { o.Knobs = knobs })
		s.pause = 100 * time.Millisecond
		s.seed()
		began := time.Now()
		took := func(what string, least, most time.Duration) {
			t.Helper()
			if d := time.Since(began); d < least || d > most {
				t.Errorf("%s took %v", what, d)
			}
			began = time.Now()
		}
		s.branch("work")
		took("the branch", 8*time.Second, 9*time.Second)
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		took("the checks", 3*time.Second, 26*time.Second)
		s.deploy(n)
		s.await(n, planetscale.StateInProgress)
		took("the queue", 7*time.Second, 12*time.Second)
		dr := s.await(n, planetscale.StateCompletePendingRevert)
		took("the deployment", 5*time.Second, 9*time.Second)
		if window := dr.Deployment.RevertRequest.WaitingPeriodEndAt.Sub(*dr.Deployment.FinishedAt); window != 30*time.Minute {
			t.Errorf("the window is %v", window)
		}
		if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateCompleteRevert)
		took("the revert", 7*time.Second, 8*time.Second)
	})
}

// In a bubble time is free: everything takes as long as the platform takes, and
// the test takes no time. It holds only as long as nothing in the emulator
// waits for a socket.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, memory, func(o *emulator.Options) {
			o.Knobs = emulator.Knobs{BranchReady: 70 * time.Second, Diff: 26 * time.Second, Queue: time.Second, Deploy: 4 * time.Hour,
				Cutover: 2 * time.Second, RevertWindow: 30 * time.Minute, Revert: 7 * time.Second}
		})
		s.pause = 100 * time.Millisecond
		s.seed()
		began := time.Now()
		s.branch("work")
		if took := time.Since(began); took < 70*time.Second || took > 71*time.Second {
			t.Errorf("the branch took %v", took)
		}
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		began = time.Now()
		time.Sleep(time.Hour)
		if op := s.await(n, planetscale.StateInProgress).Deployment.Operations[0]; *op.ProgressPercentage < 24 || *op.ProgressPercentage > 25 {
			t.Errorf("after an hour of four: %v %%", *op.ProgressPercentage)
		}
		time.Sleep(3*time.Hour + time.Minute)
		dr := s.await(n, planetscale.StateCompletePendingRevert)
		if took := dr.Deployment.FinishedAt.Sub(began); took < 4*time.Hour || took > 4*time.Hour+10*time.Second {
			t.Errorf("the deployment took %v", took)
		}
		if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateCompleteRevert)
		if now, known := s.client.Now(); !known || time.Until(now).Abs() > 2*time.Second {
			t.Errorf("the platform's clock shows %v", now)
		}
	})
}

// A password ends by itself, and an hour of waiting costs nothing.
func TestExpiryInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, memory)
		p := s.password("main", "reader", 5*time.Minute)
		a, found := s.e.Access(p.Username)
		if !found || a.Expired {
			t.Fatal("no access")
		}
		time.Sleep(4 * time.Minute)
		if _, err := s.shop.RenewPassword(t.Context(), "main", p.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		select {
		case <-a.Gone:
			t.Error("a renewed password ended")
		default:
		}
		time.Sleep(time.Minute + time.Second)
		select {
		case <-a.Gone:
		default:
			t.Error("the password did not end")
		}
	})
}
