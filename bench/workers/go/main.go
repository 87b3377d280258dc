// os/exec, asked as workers/start.c is.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

type times map[string][]float64

func since(begun time.Time) float64 { return float64(time.Since(begun).Nanoseconds()) / 1e3 }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func starts(count int) any {
	taken := times{}
	for range count {
		time.Sleep(time.Millisecond)
		begun := time.Now()
		command := exec.Command("/usr/bin/true")
		must(command.Start())
		taken["block"] = append(taken["block"], since(begun))
		must(command.Wait())
		taken["exit"] = append(taken["exit"], since(begun))
		time.Sleep(time.Millisecond)
		begun = time.Now()
		_, err := exec.Command("/usr/bin/true").Output()
		must(err)
		taken["run"] = append(taken["run"], since(begun))
	}
	return taken
}

func throughput(atOnce, count int) any {
	begun := time.Now()
	todo := make(chan struct{}, count)
	for range count {
		todo <- struct{}{}
	}
	close(todo)
	var pool sync.WaitGroup
	for range atOnce {
		pool.Add(1)
		go func() {
			defer pool.Done()
			for range todo {
				_, err := exec.Command("/usr/bin/true").Output()
				must(err)
			}
		}()
	}
	pool.Wait()
	return map[string]float64{"seconds": since(begun) / 1e6}
}

func capture(bytes int) any {
	begun := time.Now()
	out, err := exec.Command("/usr/bin/dd", "if=/dev/zero", "bs=1M", fmt.Sprint("count=", bytes>>20), "status=none").Output()
	must(err)
	return map[string]float64{"seconds": since(begun) / 1e6, "bytes": float64(len(out))}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var word string
		var a, b int
		fmt.Sscan(strings.TrimSpace(lines.Text()), &word, &a, &b)
		var answer any
		switch word {
		case "start":
			answer = starts(a)
		case "throughput":
			answer = throughput(a, b)
		case "capture":
			answer = capture(a)
		}
		line, err := json.Marshal(answer)
		must(err)
		fmt.Println(string(line))
	}
}
